package interop;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import javax.annotation.Resource;
import javax.jws.WebMethod;
import javax.jws.WebParam;
import javax.jws.WebService;
import javax.security.auth.callback.Callback;
import javax.xml.namespace.QName;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.soap.SOAPMessage;
import javax.xml.transform.dom.DOMSource;
import javax.xml.ws.Endpoint;
import javax.xml.ws.WebServiceContext;
import javax.xml.ws.WebServiceException;
import javax.xml.ws.handler.MessageContext;
import javax.xml.ws.handler.soap.SOAPHandler;
import javax.xml.ws.handler.soap.SOAPMessageContext;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSDataRef;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.WSPasswordCallback;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.WSUsernameTokenPrincipal;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.apache.ws.security.message.WSSecTimestamp;
import org.w3c.dom.Document;

/** A JAX-WS endpoint behind Apache WSS4J: it takes only what is signed, and signs what it answers. */
public class Secured {
    static final String SEEN = "interop.seen";
    static final String SECRET = "geheim";

    /** Arguments: port, a PKCS #12 file with the key "erp", a PEM file with the certificate of the gateway. */
    public static void main(String[] arguments) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream file = new FileInputStream(arguments[1])) {
            keys.load(file, SECRET.toCharArray());
        }
        try (InputStream file = new FileInputStream(arguments[2])) {
            keys.setCertificateEntry("gateway", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        Merlin crypto = new Merlin();
        crypto.setKeyStore(keys);
        Endpoint endpoint = Endpoint.create(new Vault());
        endpoint.getBinding().setHandlerChain(List.of(new Guard(crypto)));
        endpoint.publish("http://127.0.0.1:" + arguments[0] + "/vault");
        System.out.println("ready");
    }

    @WebService(name = "Vault", serviceName = "VaultService", portName = "VaultPort", targetNamespace = Server.NS)
    public static class Vault {
        @Resource private WebServiceContext context;

        /** Who asked, how that was proven, and what of the message was signed. */
        @WebMethod public String who(@WebParam(name = "text") String text) {
            return context.getMessageContext().get(SEEN) + " text=" + text;
        }

        @WebMethod public String refuse() throws Server.OutOfStock {
            Server.OutOfStockDetail detail = new Server.OutOfStockDetail();
            detail.sku = "M8";
            throw new Server.OutOfStock("none left", detail);
        }

        /** An answer that is changed after it was signed. */
        @WebMethod public String forged() { return "pay 1"; }

        /** An answer without a signature. */
        @WebMethod public String unsigned() { return "pay 1"; }
    }

    static class Guard implements SOAPHandler<SOAPMessageContext> {
        private final Merlin crypto;

        Guard(Merlin crypto) { this.crypto = crypto; }

        @Override public boolean handleMessage(SOAPMessageContext context) { return handle(context); }

        @Override public boolean handleFault(SOAPMessageContext context) { return handle(context); }

        @Override public void close(MessageContext context) { }

        @Override public Set<QName> getHeaders() { return Set.of(new QName(WSConstants.WSSE_NS, "Security")); }

        private boolean handle(SOAPMessageContext context) {
            try {
                Document message = document(context.getMessage());
                if (!(Boolean) context.get(MessageContext.MESSAGE_OUTBOUND_PROPERTY)) {
                    context.put(SEEN, seen(message));
                    context.setScope(SEEN, MessageContext.Scope.APPLICATION);
                } else if (message.getElementsByTagNameNS(Server.NS, "unsignedResponse").getLength() == 0) {
                    context.getMessage().getSOAPPart().setContent(new DOMSource(signed(message)));
                }
                return true;
            } catch (Exception problem) {
                problem.printStackTrace();
                throw new WebServiceException(problem);
            }
        }

        /** What WSS4J verified. */
        private String seen(Document message) throws Exception {
            WSSecurityEngine engine = new WSSecurityEngine();
            engine.setWssConfig(WSSConfig.getNewInstance());
            String user = null, signer = null;
            boolean timestamp = false, digest = false;
            Set<String> parts = new TreeSet<>();
            for (WSSecurityEngineResult result : engine.processSecurityHeader(message, null, Guard::password, crypto)) {
                int action = (Integer) result.get(WSSecurityEngineResult.TAG_ACTION);
                if (action == WSConstants.UT) {
                    WSUsernameTokenPrincipal token = (WSUsernameTokenPrincipal) result.get(WSSecurityEngineResult.TAG_PRINCIPAL);
                    user = token.getName();
                    digest = token.isPasswordDigest();
                } else if (action == WSConstants.TS) {
                    timestamp = true;
                } else if (action == WSConstants.SIGN) {
                    X509Certificate by = (X509Certificate) result.get(WSSecurityEngineResult.TAG_X509_CERTIFICATE);
                    signer = by.getSubjectX500Principal().getName();
                    for (Object part : (List<?>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS)) {
                        parts.add(((WSDataRef) part).getName().getLocalPart());
                    }
                }
            }
            if (!parts.contains("Body")) throw new SecurityException("the body is not signed");
            return "user=" + user + " digest=" + digest + " timestamp=" + timestamp + " signed=" + parts + " by=" + signer;
        }

        private static void password(Callback[] asked) {
            for (Callback each : asked) ((WSPasswordCallback) each).setPassword(SECRET);
        }

        private Document signed(Document message) throws Exception {
            WSSecHeader header = new WSSecHeader();
            header.insertSecurityHeader(message);
            WSSecTimestamp timestamp = new WSSecTimestamp();
            timestamp.setTimeToLive(60);
            timestamp.build(message, header);
            WSSecSignature signature = new WSSecSignature();
            signature.setUserInfo("erp", SECRET);
            signature.setKeyIdentifierType(WSConstants.BST_DIRECT_REFERENCE);
            signature.setSignatureAlgorithm("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
            signature.setDigestAlgo("http://www.w3.org/2001/04/xmlenc#sha256");
            List<WSEncryptionPart> parts = new ArrayList<>();
            parts.add(new WSEncryptionPart("Body", message.getDocumentElement().getNamespaceURI(), ""));
            parts.add(new WSEncryptionPart("Timestamp", WSConstants.WSU_NS, ""));
            signature.setParts(parts);
            Document made = signature.build(message, crypto, header);
            if (made.getElementsByTagNameNS(Server.NS, "forgedResponse").getLength() == 1) {
                made.getElementsByTagName("return").item(0).setTextContent("pay 1000000");
            }
            return made;
        }

        private static Document document(SOAPMessage message) throws Exception {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            message.writeTo(bytes);
            DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
            factory.setNamespaceAware(true);
            return factory.newDocumentBuilder().parse(new ByteArrayInputStream(bytes.toByteArray()));
        }
    }
}
