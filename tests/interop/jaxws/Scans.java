package interop;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import javax.activation.DataHandler;
import javax.activation.DataSource;
import javax.annotation.Resource;
import javax.jws.WebMethod;
import javax.jws.WebParam;
import javax.jws.WebService;
import javax.xml.bind.annotation.XmlAccessType;
import javax.xml.bind.annotation.XmlAccessorType;
import javax.xml.bind.annotation.XmlAttachmentRef;
import javax.xml.ws.Endpoint;
import javax.xml.ws.WebServiceContext;
import javax.xml.ws.handler.MessageContext;
import javax.xml.ws.soap.Addressing;
import javax.xml.ws.soap.MTOM;

/** JAX-WS endpoints that insist on WS-Addressing, and whose values are attachments. */
public class Scans {
    static final String NS = "urn:interop:scans";

    public static void main(String[] arguments) {
        String base = "http://127.0.0.1:" + arguments[0];
        Endpoint.publish(base + "/addressed", new Addressed());
        Endpoint.publish(base + "/attached", new Attached());
        System.out.println("ready");
    }

    static byte[] reversed(byte[] data) {
        byte[] made = new byte[data.length];
        for (int n = 0; n < data.length; n++) made[n] = data[data.length - 1 - n];
        return made;
    }

    @WebService(name = "Addressed", serviceName = "AddressedService", portName = "AddressedPort", targetNamespace = NS)
    @Addressing(required = true)
    @MTOM
    public static class Addressed {
        @Resource private WebServiceContext context;

        @WebMethod public byte[] reverse(@WebParam(name = "data") byte[] data) { return reversed(data); }

        /** How a request came: its media type. */
        @WebMethod public String travelled(@WebParam(name = "data") byte[] data) {
            java.util.Map<?, ?> headers = (java.util.Map<?, ?>) context.getMessageContext().get(MessageContext.HTTP_REQUEST_HEADERS);
            return ((java.util.List<?>) headers.get("Content-Type")).get(0).toString().split(";")[0];
        }
    }

    @XmlAccessorType(XmlAccessType.FIELD)
    public static class Scan {
        public String name;
        @XmlAttachmentRef public DataHandler content;
    }

    @WebService(name = "Attached", serviceName = "AttachedService", portName = "AttachedPort", targetNamespace = NS)
    public static class Attached {
        @WebMethod public Scan turn(@WebParam(name = "scan") Scan scan) throws IOException {
            ByteArrayOutputStream read = new ByteArrayOutputStream();
            scan.content.writeTo(read);
            Scan made = new Scan();
            made.name = scan.name + ", " + read.size() + " bytes";
            made.content = new DataHandler(new Bytes(reversed(read.toByteArray())));
            return made;
        }
    }

    static class Bytes implements DataSource {
        private final byte[] data;

        Bytes(byte[] data) { this.data = data; }

        @Override public InputStream getInputStream() { return new ByteArrayInputStream(data); }
        @Override public OutputStream getOutputStream() { throw new UnsupportedOperationException(); }
        @Override public String getContentType() { return "image/tiff"; }
        @Override public String getName() { return "scan"; }
    }
}
