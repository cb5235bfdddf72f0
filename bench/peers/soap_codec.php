<?php
// PHP's SoapClient (C): JSON text to envelope and answer envelope to JSON text, the network replaced by a canned answer.
// php soap_codec.php WSDL REQUEST.json ANSWER.xml CALLS -> one line of JSON: microseconds per call, the request envelope.

final class Canned extends SoapClient
{
    public string $answer = '';
    public string $sent = '';

    public function __doRequest(string $request, string $location, string $action, int $version, bool $oneWay = false): ?string
    {
        $this->sent = $request;
        return $this->answer;
    }
}

[, $wsdl, $requestFile, $answerFile, $calls] = $argv;
$request = file_get_contents($requestFile);
$client = new Canned($wsdl, ['cache_wsdl' => WSDL_CACHE_NONE, 'features' => SOAP_SINGLE_ELEMENT_ARRAYS]);
$client->answer = file_get_contents($answerFile);

function call(Canned $client, string $request): string
{
    return json_encode($client->CreatePurchaseOrder(json_decode($request)), JSON_THROW_ON_ERROR);
}

$best = INF;
$result = '';
for ($round = 0; $round < 8; $round++) {
    $start = hrtime(true);
    for ($i = 0; $i < (int) $calls; $i++) {
        $result = call($client, $request);
    }
    if ($round > 0) {
        $best = min($best, (hrtime(true) - $start) / 1000 / (int) $calls);
    }
}
echo json_encode(['us' => $best, 'sent' => $client->sent, 'result' => json_decode($result)]), "\n";
