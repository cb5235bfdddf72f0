<?php
// PHP's SoapClient. Each line of input is a call as JSON, each line of output its answer or fault. See tests/interop/clients.py.

const WSSE = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd';

/** A UsernameToken, which SoapClient has no words of its own for. */
function security(string $user, string $secret): SoapHeader
{
    $text = '<w:Security xmlns:w="' . WSSE . '"><w:UsernameToken><w:Username>' . htmlspecialchars($user) . '</w:Username>'
        . '<w:Password>' . htmlspecialchars($secret) . '</w:Password></w:UsernameToken></w:Security>';
    return new SoapHeader(WSSE, 'Security', new SoapVar($text, XSD_ANYXML));
}

function client(array $call): SoapClient
{
    $options = [
        'cache_wsdl' => WSDL_CACHE_NONE,
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
        'soap_version' => $call['soap'] === '1.2' ? SOAP_1_2 : SOAP_1_1,
        'stream_context' => stream_context_create(['http' => ['header' => "Idempotency-Key: {$call['key']}"]]),
    ];
    if ($call['auth'] === 'basic') {
        $options += ['login' => $call['user'], 'password' => $call['secret']];
    }
    $client = new SoapClient($call['wsdl'], $options);
    if ($call['auth'] === 'token') {
        $client->__setSoapHeaders([security($call['user'], $call['secret'])]);
    }
    return $client;
}

while (($line = fgets(STDIN)) !== false) {
    $call = json_decode($line, true);
    try {
        $told = ['answer' => client($call)->__soapCall($call['operation'], [$call['arguments']])];
    } catch (SoapFault $fault) {
        $told = ['fault' => ['code' => $fault->faultcode, 'text' => $fault->getMessage(), 'problem' => $fault->detail->problem ?? null]];
    }
    echo json_encode($told, JSON_UNESCAPED_UNICODE), "\n";
    flush();
}
