<?php
// PHP's SoapServer behind php -S: /literal and /literal12 over literal.wsdl, /encoded over encoded.wsdl. ?wsdl gives the
// contract, /notes what came one-way.

$path = ltrim(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH), '/');
$wsdl = sys_get_temp_dir() . "/interop-{$_SERVER['SERVER_PORT']}-$path.wsdl";
$source = __DIR__ . ($path === 'encoded' ? '/encoded.wsdl' : '/literal.wsdl');
$here = ['HOST' => $_SERVER['HTTP_HOST'], 'SERVICE' => ucfirst($path)];
file_put_contents($wsdl, strtr(file_get_contents($source), $here), LOCK_EX);

$notes = sys_get_temp_dir() . "/interop-{$_SERVER['SERVER_PORT']}-notes";
if ($path === 'notes') {
    readfile($notes);
    return;
}
if ($_SERVER['REQUEST_METHOD'] === 'GET') {
    header('Content-Type: text/xml; charset=utf-8');
    readfile($wsdl);
    return;
}

/** A value as PHP has it, one line, ASCII. */
function seen($value): string
{
    return preg_replace_callback('/[^\x20-\x7e]/u', fn ($c) => sprintf('\\u{%x}', mb_ord_($c[0])), var_export_short($value));
}

function mb_ord_(string $character): int
{
    return unpack('N', iconv('UTF-8', 'UCS-4BE', $character))[1];
}

function var_export_short($value): string
{
    if (is_object($value)) {
        $class = $value instanceof stdClass ? '' : get_class($value);
        $fields = [];
        foreach (get_object_vars($value) as $name => $field) {
            $fields[] = "$name: " . var_export_short($field);
        }
        return $class . '{' . implode(', ', $fields) . '}';
    }
    if (is_array($value)) {
        return '[' . implode(', ', array_map('var_export_short', $value)) . ']';
    }
    return is_string($value) ? "\"$value\"" : json_encode($value);
}

class Line
{
}

class Priced extends Line
{
}

class Orders
{
    public string $session = '';

    public function Session($session): void
    {
        $this->session = $session;
    }

    public function Echo($asked)
    {
        return ['values' => $asked->values];
    }

    public function Describe($asked)
    {
        global $server;
        $said = $this->session === '' ? '' : "session={$this->session}\n";
        foreach (get_object_vars($asked->values) as $name => $value) {
            $said .= "$name=" . (in_array($name, ['data', 'hex']) ? bin2hex($value) : seen($value)) . "\n";
        }
        if ($this->session !== '') {
            $server->addSoapHeader(new SoapHeader('urn:interop:php', 'Turn', 7));
        }
        return ['said' => $said];
    }

    public function Fail($asked)
    {
        if ($asked->how === 'refused') {
            throw new SoapFault('Client', 'nicht genug: 中', null, ['sku' => 'M8', 'missing' => '2.50'], 'Refused');
        }
        if ($asked->how === 'exception') {
            throw new RuntimeException('undefined index in /var/www/orders.php');
        }
        if ($asked->how === 'html') {
            http_response_code($asked->status);
            header('Content-Type: text/html');
            echo '<html><body><h1>Bad Gateway</h1></body></html>';
            exit;
        }
        if ($asked->how === 'status') {
            ob_start();
            $GLOBALS['status'] = $asked->status;
            throw new SoapFault('Server', 'a fault all the same');
        }
        throw new SoapFault($asked->how, 'because');
    }

    public function Note($asked): void
    {
        file_put_contents($GLOBALS['notes'], "$asked->text\n", FILE_APPEND);
    }
}

class Legacy
{
    public function echoLines($lines, $note)
    {
        return $lines;
    }

    /** One object in many places: SoapServer writes it once and refers to it. */
    public function shared($line, $times)
    {
        return array_fill(0, $times, $line);
    }

    public function join($words)
    {
        return ['joined' => seen($words), 'words' => array_reverse($words)];
    }

    public function transpose($matrix)
    {
        return array_map(null, ...$matrix);
    }

    public function anything($kind)
    {
        return match ($kind) {
            'map' => ['colour' => 'red', 'size' => 42, 'open' => true],
            'list' => ['a', 'b'],
            'int' => 42,
            'object' => (object) ['a' => 1],
            default => $kind,
        };
    }

    public function merge($first, $second)
    {
        $map = array_merge($first, $second);
        $said = array_map(fn ($name) => "\"$name\" => " . seen($map[$name]), array_keys($map));
        return ['map' => $map, 'seen' => '[' . implode(', ', $said) . ']'];
    }

    public function fail($how)
    {
        throw new SoapFault('Server', "because of $how", 'urn:actor', (object) ['hint' => 'none'], 'Whatever');
    }
}

register_shutdown_function(function () {
    if (isset($GLOBALS['status'])) {
        http_response_code($GLOBALS['status']);
    }
});
$classes = ['Line' => 'Line', 'Priced' => 'Priced'];
$options = ['cache_wsdl' => WSDL_CACHE_NONE, 'classmap' => $classes, 'soap_version' => $path === 'literal12' ? SOAP_1_2 : SOAP_1_1];
$server = new SoapServer($wsdl, $options);
$server->setClass($path === 'encoded' ? 'Legacy' : 'Orders');
$server->handle();
