// npm soap as a server: /literal and /literal12 document/literal in SOAP 1.1 and 1.2, /rpc RPC/literal. ?wsdl gives the contract,
// /notes what came one-way.
const fs = require('fs');
const http = require('http');
const path = require('path');
const soap = require('soap');

const port = Number(process.argv[2]);
const wsdl = fs.readFileSync(path.join(__dirname, 'depot.wsdl'), 'utf8').replaceAll('HOST', `127.0.0.1:${port}`);
const notes = [];

const ascii = (text) => text.replace(/[^\x20-\x7e]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
const seen = (value) => (value instanceof Date ? value.toISOString() : ascii(JSON.stringify(value)));
const describe = (values) => Object.entries(values).map(([name, value]) => `${name}=${seen(value)}`).join('\n') + '\n';

// A fault in the words of the envelope it goes into; soap itself writes what it is given into either.
const fault = (version, code, text, detail, statusCode) => version === 1.1
  ? { Fault: { faultcode: `soap:${code}`, faultstring: text, detail, statusCode } }
  : { Fault: { Code: { Value: `soap:${{ Client: 'Sender', Server: 'Receiver' }[code]}` }, Reason: { Text: text },
               Detail: detail && { ':Refused': detail.Refused }, statusCode } };

const fail = (version) => ({ how, status }) => {
  if (how === 'refused') {
    const detail = { Refused: { attributes: { xmlns: 'urn:interop:npm' }, ':sku': 'M8', ':missing': '2.50' } };
    throw fault(version, 'Client', 'nicht genug: 中', detail);
  }
  if (how === 'error') throw new Error('the shelf is empty');
  throw fault(version, how, 'because', undefined, status);
};

const depot = (version) => ({
  Echo: (asked) => ({ values: asked.values }),
  Describe(asked, callback, headers) {
    return { said: (headers && headers.Session ? `session=${headers.Session}\n` : '') + describe(asked.values) };
  },
  Fail: fail(version),
  Note: (asked) => { notes.push(asked.text); },
});
const both = { Both: (asked) => ({ values: asked.values, said: describe(asked.values).repeat(asked.times) }) };
const services = { Depot: { Depot: depot(1.1) }, Depot12: { Depot12: depot(1.2) }, DepotRpc: { DepotRpc: both } };

const server = http.createServer((request, response) => response.end(notes.join('\n')));
// As soap comes, numbers are doubles, dates are moments, nil is dropped, text is trimmed, and xsi:nil is written without declaring
// xsi: /rpc is so. Where that matters people set these.
const text = Object.fromEntries(['decimal', 'integer', 'long', 'date', 'dateTime'].map((type) => [type, (value) => value]));
const exact = {
  customDeserializer: text,
  handleNilAsNull: true,
  callback(error, { wsdl: ready }) {
    ready.options.preserveWhitespace = true;
    ready.xmlnsInEnvelope += ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
  },
};

server.listen(port, '127.0.0.1', () => {
  const xml = wsdl;
  soap.listen(server, { path: '/literal', services, xml, ...exact, oneWay: { responseCode: 202, emptyBody: true } });
  soap.listen(server, { path: '/literal12', services, xml, ...exact, forceSoap12Headers: true, oneWay: { responseCode: 202 } });
  soap.listen(server, { path: '/rpc', services, xml, callback: () => console.log('ready') });
});
