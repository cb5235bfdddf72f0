package interop;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonDeserializer;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.gson.JsonSerializer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Parameter;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.jws.WebParam;
import javax.jws.WebService;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.datatype.XMLGregorianCalendar;
import javax.xml.namespace.QName;
import javax.xml.soap.SOAPElement;
import javax.xml.soap.SOAPException;
import javax.xml.soap.SOAPHeader;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.Holder;
import javax.xml.ws.Service;
import javax.xml.ws.WebServiceException;
import javax.xml.ws.handler.MessageContext;
import javax.xml.ws.handler.soap.SOAPHandler;
import javax.xml.ws.handler.soap.SOAPMessageContext;
import javax.xml.ws.soap.SOAPFaultException;

/**
 * JAX-WS with the stubs that wsimport makes of the gateway's WSDLs, found in facade.RESOURCE. Each line of input is a call as JSON,
 * each line of output its answer or fault. See tests/interop/clients.py.
 */
public class Client {
    static final String WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

    static final Gson GSON = new GsonBuilder()
        .registerTypeHierarchyAdapter(XMLGregorianCalendar.class, (JsonSerializer<XMLGregorianCalendar>)
            (value, type, context) -> new JsonPrimitive(value.toXMLFormat()))
        .registerTypeAdapter(XMLGregorianCalendar.class, (JsonDeserializer<XMLGregorianCalendar>)
            (text, type, context) -> calendar(text.getAsString()))
        .registerTypeAdapter(BigDecimal.class, (JsonSerializer<BigDecimal>)
            (value, type, context) -> new JsonPrimitive(value.toPlainString()))
        .create();

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(GSON.toJson(tell(GSON.fromJson(line, JsonObject.class))));
        }
    }

    static JsonObject tell(JsonObject call) throws Exception {
        JsonObject told = new JsonObject();
        Object port = port(call);
        String operation = call.get("operation").getAsString();
        Method method = Arrays.stream(port.getClass().getInterfaces()[0].getMethods())
            .filter(each -> each.getName().equals(operation)).findFirst().orElseThrow();
        Object[] given = given(method, call.getAsJsonObject("arguments"));
        try {
            Object result = method.invoke(port, given);
            told.add("answer", result == null ? results(method, given) : GSON.toJsonTree(result));
        } catch (InvocationTargetException wrapped) {
            told.add("fault", fault(wrapped.getCause()));
        }
        return told;
    }

    /** The stub of a service, dressed as the call wants it. */
    static Object port(JsonObject call) throws Exception {
        String resource = call.get("service").getAsString();
        Class<?> stub = Class.forName("facade." + resource.replace('-', '_') + "." + call.get("stub").getAsString());
        String space = stub.getAnnotation(WebService.class).targetNamespace();
        Service service = Service.create(new URL(call.get("wsdl").getAsString()), new QName(space, resource));
        String name = call.get("soap").getAsString().equals("1.2") ? "Soap12" : "Soap11";
        Object port = service.getPort(new QName(space, name), stub);
        BindingProvider provider = (BindingProvider) port;
        String user = call.get("user").getAsString(), secret = call.get("secret").getAsString();
        Map<String, Object> context = provider.getRequestContext();
        context.put(MessageContext.HTTP_REQUEST_HEADERS, Map.of("Idempotency-Key", List.of(call.get("key").getAsString())));
        if (call.get("auth").getAsString().equals("basic")) {
            context.put(BindingProvider.USERNAME_PROPERTY, user);
            context.put(BindingProvider.PASSWORD_PROPERTY, secret);
        } else {
            provider.getBinding().setHandlerChain(List.of(new Security(user, secret)));
        }
        return port;
    }

    /** The arguments of a stub's method by the names the contract gives them; a holder for each result. */
    static Object[] given(Method method, JsonObject values) {
        return Arrays.stream(method.getParameters())
            .map(each -> each.getType() == Holder.class
                ? new Holder<Object>() : GSON.<Object>fromJson(values.get(name(each)), each.getParameterizedType()))
            .toArray();
    }

    static JsonObject results(Method method, Object[] given) {
        JsonObject results = new JsonObject();
        for (int n = 0; n < given.length; n++) {
            if (given[n] instanceof Holder) {
                Type type = ((ParameterizedType) method.getParameters()[n].getParameterizedType()).getActualTypeArguments()[0];
                results.add(name(method.getParameters()[n]), GSON.toJsonTree(((Holder<?>) given[n]).value, type));
            }
        }
        return results;
    }

    static String name(Parameter parameter) {
        return parameter.getAnnotation(WebParam.class).name();
    }

    /** A declared fault has a class of its own, with the problem as its information. */
    static JsonObject fault(Throwable cause) throws Exception {
        JsonObject fault = new JsonObject();
        fault.addProperty("code", cause.getClass().getSimpleName());
        fault.addProperty("text", cause.getMessage());
        if (cause instanceof SOAPFaultException) {
            fault.addProperty("code", ((SOAPFaultException) cause).getFault().getFaultCode());
        } else if (cause.getClass().getPackageName().startsWith("facade.")) {
            fault.add("problem", GSON.toJsonTree(cause.getClass().getMethod("getFaultInfo").invoke(cause)));
        } else if (cause instanceof WebServiceException) {
            fault.addProperty("code", "transport");
        } else {
            throw new IllegalStateException(cause);
        }
        return fault;
    }

    static XMLGregorianCalendar calendar(String text) {
        try {
            return DatatypeFactory.newInstance().newXMLGregorianCalendar(text);
        } catch (javax.xml.datatype.DatatypeConfigurationException problem) {
            throw new IllegalStateException(problem);
        }
    }

    /** Adds a UsernameToken to every request. */
    static class Security implements SOAPHandler<SOAPMessageContext> {
        private final String user;
        private final String secret;

        Security(String user, String secret) {
            this.user = user;
            this.secret = secret;
        }

        @Override public boolean handleMessage(SOAPMessageContext context) {
            if ((Boolean) context.get(MessageContext.MESSAGE_OUTBOUND_PROPERTY)) {
                try {
                    SOAPHeader header = context.getMessage().getSOAPPart().getEnvelope().getHeader();
                    header = header == null ? context.getMessage().getSOAPPart().getEnvelope().addHeader() : header;
                    SOAPElement token = header.addChildElement("Security", "wsse", WSSE).addChildElement("UsernameToken", "wsse");
                    token.addChildElement("Username", "wsse").addTextNode(user);
                    token.addChildElement("Password", "wsse").addTextNode(secret);
                } catch (SOAPException problem) {
                    throw new IllegalStateException(problem);
                }
            }
            return true;
        }

        @Override public boolean handleFault(SOAPMessageContext context) { return true; }

        @Override public void close(MessageContext context) { }

        @Override public Set<QName> getHeaders() { return Set.of(new QName(WSSE, "Security")); }
    }
}
