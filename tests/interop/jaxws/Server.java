package interop;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.annotation.Resource;
import javax.jws.Oneway;
import javax.jws.WebMethod;
import javax.jws.WebParam;
import javax.jws.WebResult;
import javax.jws.WebService;
import javax.jws.soap.SOAPBinding;
import javax.xml.bind.annotation.XmlAccessType;
import javax.xml.bind.annotation.XmlAccessorType;
import javax.xml.bind.annotation.XmlAttribute;
import javax.xml.bind.annotation.XmlElement;
import javax.xml.bind.annotation.XmlElementWrapper;
import javax.xml.bind.annotation.XmlElements;
import javax.xml.bind.annotation.XmlList;
import javax.xml.bind.annotation.XmlSchemaType;
import javax.xml.bind.annotation.XmlSeeAlso;
import javax.xml.bind.annotation.XmlType;
import javax.xml.bind.annotation.XmlValue;
import javax.xml.datatype.Duration;
import javax.xml.datatype.XMLGregorianCalendar;
import javax.xml.namespace.QName;
import javax.xml.soap.SOAPFactory;
import javax.xml.soap.SOAPFault;
import javax.xml.ws.BindingType;
import javax.xml.ws.Endpoint;
import javax.xml.ws.Holder;
import javax.xml.ws.WebFault;
import javax.xml.ws.WebServiceContext;
import javax.xml.ws.handler.MessageContext;
import javax.xml.ws.soap.MTOM;
import javax.xml.ws.soap.SOAPFaultException;

/** JAX-WS endpoints that say what they were given: document/literal in SOAP 1.1 and 1.2, RPC/literal, bare, and MTOM. */
public class Server {
    static final String NS = "urn:interop:jaxws";

    public static void main(String[] arguments) {
        String base = "http://127.0.0.1:" + arguments[0];
        Endpoint.publish(base + "/stock", new Stock());
        Endpoint.publish(base + "/stock12", new Stock12());
        Endpoint.publish(base + "/rpc", new Rpc());
        Endpoint.publish(base + "/bare", new Bare());
        Endpoint.publish(base + "/files", new Files());
        System.out.println("ready");
    }

    public enum Unit { PIECE, KILOGRAM, METRE }

    @XmlAccessorType(XmlAccessType.FIELD)
    public static class Values {
        @XmlElement(required = true) public String text;
        @XmlElement(required = true) public BigDecimal amount;
        public BigInteger huge;
        public long large;
        public int number;
        public short small;
        public byte tiny;
        public boolean yes;
        public double ratio;
        public Float share;
        @XmlSchemaType(name = "date") public XMLGregorianCalendar day;
        @XmlSchemaType(name = "time") public XMLGregorianCalendar hour;
        @XmlSchemaType(name = "dateTime") public XMLGregorianCalendar moment;
        public Duration span;
        public QName name;
        public byte[] data;
        public Unit unit;
        @XmlElement(nillable = true) public String maybe;
        public String optional;
        public List<String> tags;
        @XmlElement(nillable = true) public List<Integer> counts;
        @XmlElementWrapper(name = "codes") @XmlElement(name = "code") public List<String> codes;
        @XmlList public List<Integer> row;
        public Part part;
        public List<Part> parts;
        @XmlElements({@XmlElement(name = "word", type = String.class), @XmlElement(name = "count", type = Integer.class)})
        public List<Object> mixed;
        public Labelled label;
        @XmlAttribute public String colour;
        @XmlAttribute(required = true) public int version;
    }

    @XmlAccessorType(XmlAccessType.FIELD)
    public static class Labelled {
        @XmlValue public String value;
        @XmlAttribute public String language;
    }

    @XmlAccessorType(XmlAccessType.FIELD)
    @XmlSeeAlso({Bolt.class, Assembly.class})
    public static class Part {
        @XmlElement(required = true) public String id;
        @Override public String toString() { return "Part " + id; }
    }

    @XmlAccessorType(XmlAccessType.FIELD)
    public static class Bolt extends Part {
        public BigDecimal length;
        @Override public String toString() { return "Bolt " + id + " " + length; }
    }

    @XmlAccessorType(XmlAccessType.FIELD)
    @XmlType(name = "Assembly")
    public static class Assembly extends Part {
        public List<Part> members = new ArrayList<>();
        @Override public String toString() { return "Assembly " + id + " " + members; }
    }

    @XmlAccessorType(XmlAccessType.FIELD)
    public static class OutOfStockDetail {
        public String sku;
        public BigDecimal missing;
        public List<String> alternatives;
    }

    @WebFault(name = "OutOfStock", targetNamespace = NS)
    public static class OutOfStock extends Exception {
        private final OutOfStockDetail detail;
        public OutOfStock(String message, OutOfStockDetail detail) { super(message); this.detail = detail; }
        public OutOfStockDetail getFaultInfo() { return detail; }
    }

    /** One line a field, as Java sees it. */
    static String describe(Values v) {
        StringBuilder said = new StringBuilder();
        for (Object[] pair : new Object[][] {
            {"text", v.text == null ? null : escaped(v.text)}, {"amount", v.amount == null ? null : v.amount.toPlainString()},
            {"huge", v.huge}, {"large", v.large}, {"number", v.number}, {"small", v.small}, {"tiny", v.tiny}, {"yes", v.yes},
            {"ratio", v.ratio}, {"share", v.share}, {"day", v.day}, {"hour", v.hour}, {"moment", v.moment}, {"span", v.span},
            {"name", v.name}, {"data", v.data == null ? null : new BigInteger(1, v.data).toString(16)}, {"unit", v.unit},
            {"maybe", v.maybe}, {"optional", v.optional}, {"tags", v.tags}, {"counts", v.counts}, {"codes", v.codes},
            {"row", v.row}, {"part", v.part}, {"parts", v.parts}, {"mixed", v.mixed},
            {"label", v.label == null ? null : v.label.value + "/" + v.label.language}, {"colour", v.colour},
            {"version", v.version}}) {
            said.append(pair[0]).append('=').append(pair[1]).append('\n');
        }
        return said.toString();
    }

    /** Text with everything outside printable ASCII as code units. */
    static String escaped(String text) {
        StringBuilder said = new StringBuilder();
        for (char c : text.toCharArray()) said.append(c >= 32 && c < 127 ? String.valueOf(c) : String.format("\\u%04x", (int) c));
        return said.toString();
    }

    static final LinkedBlockingQueue<String> notes = new LinkedBlockingQueue<>();

    @WebService(name = "Stock", serviceName = "StockService", portName = "StockPort", targetNamespace = NS)
    public static class Stock {
        @WebMethod public Values echo(@WebParam(name = "values") Values values) { return values; }

        @WebMethod public String describe(@WebParam(name = "values") Values values) { return Server.describe(values); }

        @WebMethod public Part swap(@WebParam(name = "part") Part part) {
            Assembly made = new Assembly();
            made.id = "around " + part.id;
            made.members.add(part);
            return made;
        }

        @WebMethod public BigDecimal reserve(@WebParam(name = "sku") String sku, @WebParam(name = "quantity") BigDecimal quantity)
                throws OutOfStock {
            if (sku.equals("broken")) throw new IllegalStateException("SELECT price FROM stock failed in com.example.Stock");
            if (sku.equals("unknown")) throw soapFault("Client", "no such sku");
            if (sku.equals("down")) throw soapFault("Server", "try later");
            if (quantity.compareTo(BigDecimal.TEN) > 0) {
                OutOfStockDetail detail = new OutOfStockDetail();
                detail.sku = sku;
                detail.missing = quantity.subtract(BigDecimal.TEN);
                detail.alternatives = List.of("螺丝 M8", "Schraube für Ü");
                throw new OutOfStock("only ten left", detail);
            }
            return quantity;
        }

        @WebMethod @Oneway public void note(@WebParam(name = "text") String text) { notes.add(text); }

        /** The oldest note that nobody read; waits for it. */
        @WebMethod public String lastNote() {
            try {
                return notes.poll(10, TimeUnit.SECONDS);
            } catch (InterruptedException stopped) {
                return null;
            }
        }

        @WebMethod public String signed(
                @WebParam(name = "text") String text,
                @WebParam(name = "session", header = true, targetNamespace = NS) String session,
                @WebParam(name = "turn", header = true, mode = WebParam.Mode.INOUT, targetNamespace = NS) Holder<Integer> turn) {
            turn.value = turn.value + 1;
            return text + " for " + session;
        }

        @WebMethod public void nothing() { }

        @WebMethod public Values absent() { return null; }

        /** Two results and one that goes both ways. */
        @WebMethod public void divide(
                @WebParam(name = "number") int number,
                @WebParam(name = "by", mode = WebParam.Mode.INOUT) Holder<Integer> by,
                @WebParam(name = "quotient", mode = WebParam.Mode.OUT) Holder<Integer> quotient) {
            quotient.value = number / by.value;
            by.value = number % by.value;
        }
    }

    @WebService(name = "Stock", serviceName = "Stock12Service", portName = "Stock12Port", targetNamespace = NS)
    @BindingType(javax.xml.ws.soap.SOAPBinding.SOAP12HTTP_BINDING)
    public static class Stock12 extends Stock { }

    @WebService(name = "Rpc", serviceName = "RpcService", portName = "RpcPort", targetNamespace = NS)
    @SOAPBinding(style = SOAPBinding.Style.RPC)
    public static class Rpc {
        @WebMethod public Values echo(@WebParam(name = "values") Values values) { return values; }

        @WebMethod @WebResult(name = "said") public String describe(
                @WebParam(name = "values") Values values, @WebParam(name = "times") int times) {
            return Server.describe(values).repeat(times);
        }

        @WebMethod public String[] split(@WebParam(name = "text") String text) { return text.split(","); }

        @WebMethod public void reserve(@WebParam(name = "sku") String sku) throws OutOfStock {
            OutOfStockDetail detail = new OutOfStockDetail();
            detail.sku = sku;
            throw new OutOfStock("none left", detail);
        }
    }

    @WebService(name = "Bare", serviceName = "BareService", portName = "BarePort", targetNamespace = NS)
    @SOAPBinding(parameterStyle = SOAPBinding.ParameterStyle.BARE)
    public static class Bare {
        @WebMethod @WebResult(name = "EchoAnswer") public Values echo(@WebParam(name = "EchoAsked") Values values) { return values; }

        @WebMethod @WebResult(name = "LengthAnswer") public int length(@WebParam(name = "LengthAsked") String text) {
            return text.length();
        }
    }

    @WebService(name = "Files", serviceName = "FilesService", portName = "FilesPort", targetNamespace = NS)
    @MTOM(enabled = true, threshold = 64)
    public static class Files {
        @Resource private WebServiceContext context;

        /** How a request came: its media type. */
        @WebMethod public String travelled(@WebParam(name = "data") byte[] data) {
            Map<?, ?> headers = (Map<?, ?>) context.getMessageContext().get(MessageContext.HTTP_REQUEST_HEADERS);
            return data.length + " bytes in " + ((List<?>) headers.get("Content-Type")).get(0).toString().split(";")[0];
        }

        @WebMethod public byte[] reverse(@WebParam(name = "data") byte[] data) {
            byte[] made = new byte[data.length];
            for (int n = 0; n < data.length; n++) made[n] = data[data.length - 1 - n];
            return made;
        }

        @WebMethod public byte[] text(@WebParam(name = "text") String text, @WebParam(name = "times") int times) {
            return text.repeat(times).getBytes(StandardCharsets.UTF_8);
        }
    }

    static SOAPFaultException soapFault(String code, String reason) {
        try {
            SOAPFault fault = SOAPFactory.newInstance().createFault();
            fault.setFaultCode(new QName("http://schemas.xmlsoap.org/soap/envelope/", code, "S"));
            fault.setFaultString(reason);
            return new SOAPFaultException(fault);
        } catch (javax.xml.soap.SOAPException problem) {
            throw new IllegalStateException(problem);
        }
    }
}
