// npm soap's client. Each line of input is a call as JSON, each line of output its answer or fault. See tests/interop/clients.py.
const readline = require('readline');
const soap = require('soap');

async function client({ wsdl, soap: version, user, secret, auth, key }) {
  const made = await soap.createClientAsync(wsdl, { forceSoap12Headers: version === '1.2' });
  made.addHttpHeader('Idempotency-Key', key);
  if (auth === 'basic') made.setSecurity(new soap.BasicAuthSecurity(user, secret));
  if (auth === 'token') made.setSecurity(new soap.WSSecurity(user, secret, { passwordType: 'PasswordText' }));
  if (auth === 'digest') made.setSecurity(new soap.WSSecurity(user, secret, { passwordType: 'PasswordDigest' }));
  return made;
}

function fault(error) {
  const found = error.root?.Envelope?.Body?.Fault;
  if (!found) throw error;
  const detail = found.detail ?? found.Detail;
  const code = found.faultcode ?? found.Code?.Value;
  const text = found.faultstring ?? found.Reason?.Text;
  return { code, text: text?.$value ?? text, problem: detail?.problem };
}

async function answer(call) {
  const made = await client(call);
  const port = made[call.service][call.soap === '1.2' ? 'Soap12' : 'Soap11'];
  return new Promise((resolve) => {
    port[call.operation](call.arguments, (error, result) => resolve(error ? { fault: fault(error) } : { answer: result }));
  });
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n');
  }
})();
