// A real OpenID provider for the tests: npm's oidc-provider with three people, each signed in by naming them.
// node server.mjs PORT REDIRECT_URI LOGGED_OUT_URI; says "ready" when it listens.
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [port, redirect, loggedOut] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const people = {
  "u-100": { name: "Approver A", username: "approver-a", roles: ["finance-approver"], company: "demo" },
  "u-200": { name: "Approver B", username: "approver-b", roles: ["finance-approver"], company: "demo" },
  "u-300": { name: "Everybody", username: "*", roles: [], company: "demo" },
};

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "console",
      client_secret: "a secret: with signs % & +",
      redirect_uris: [redirect],
      post_logout_redirect_uris: [loggedOut],
      require_auth_time: true,
    },
  ],
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ["sub"], profile: ["name", "username", "roles", "company"] },
  features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id] }) },
});

const handle = provider.callback();

async function interaction(request, response) {
  const details = await provider.interactionDetails(request, response);
  const who = new URL(request.url, issuer).searchParams.get("who");
  if (details.prompt.name === "login") {
    if (who === null) {
      const links = Object.entries(people).map(([id, person]) => `<p><a href="?who=${id}">${person.name}</a></p>`);
      response.setHeader("content-type", "text/html");
      response.end(`<!doctype html><title>Company sign-in</title><h1>Company sign-in</h1>${links.join("")}`);
      return;
    }
    const result = who === "nobody" ? { error: "access_denied" } : { login: { accountId: who } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    return;
  }
  const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  grant.addOIDCScope("openid profile");
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

const server = createServer((request, response) => {
  if (!request.url.startsWith("/interaction/")) return handle(request, response);
  return interaction(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
});
server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
