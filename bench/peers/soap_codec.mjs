// npm soap: JSON text to envelope and answer envelope to JSON text through its own client, the network replaced by a canned answer.
// node soap_codec.mjs MODULE WSDL REQUEST.json ANSWER.xml CALLS -> one line of JSON: microseconds per call, the request envelope.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [module, wsdl, requestFile, answerFile, calls] = process.argv.slice(2);
const soap = createRequire(module)('soap');
const request = readFileSync(requestFile, 'utf8');
const answer = readFileSync(answerFile, 'utf8');
let sent = '';
const httpClient = {
  request(url, data, callback) {
    sent = data;
    callback(null, { statusCode: 200, headers: { 'content-type': 'application/soap+xml' }, data: answer }, answer);
    return { on() {}, headers: {} };
  },
};
const plain = await soap.createClientAsync(wsdl);
const client = await soap.createClientAsync(wsdl, { httpClient: { ...plain.httpClient, request: httpClient.request } });

async function call() {
  const [result] = await client.CreatePurchaseOrderAsync(JSON.parse(request));
  return JSON.stringify(result);
}

let best = Infinity;
let result = '';
for (let i = 0; i < Math.min(500, 5 * Number(calls)); i++) result = await call();
for (let round = 0; round < 7; round++) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < Number(calls); i++) result = await call();
  best = Math.min(best, Number(process.hrtime.bigint() - start) / 1000 / Number(calls));
}
process.stdout.write(JSON.stringify({ us: best, sent, result: JSON.parse(result) }) + '\n');
