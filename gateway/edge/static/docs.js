// The reader's credential lives in this module and nowhere else: pages are asked for again with it, and calls are sent with it.

let credential = null;

function tell(form, why) {
  form.querySelector("[data-why]").textContent = why;
  form.querySelector("[data-refused]").hidden = false;
}

async function problem(answer) {
  try {
    const body = await answer.json();
    return body.detail ?? body.error_description ?? body.title ?? body.error ?? String(answer.status);
  } catch {
    return String(answer.status);
  }
}

// --- pages: the same addresses, asked for with the credential

function show(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  document.documentElement.lang = page.documentElement.lang;
  document.title = page.title;
  document.body.replaceChildren(...page.body.childNodes);
  ready();
}

async function load(address, held) {
  const answer = await fetch(address, { headers: { ...held, accept: "text/html, application/problem+json" }, cache: "no-store", credentials: "same-origin" });
  if (!answer.ok) return problem(answer);
  show(await answer.text());
  return "";
}

async function go(address, push) {
  const why = await load(address, credential);
  if (why) location.assign(address);
  else if (push) {
    history.pushState(null, "", address);
    scrollTo(0, 0);
    document.getElementById("main").focus();
  }
}

// --- signing in

async function proof(form) {
  const fields = Object.fromEntries(new FormData(form));
  if (fields.kind === "key") return { "x-api-key": fields.key.trim() };
  if (fields.kind === "token") return { authorization: `Bearer ${fields.token.trim()}` };
  const bytes = new TextEncoder().encode(`${fields.client.trim()}:${fields.secret}`);
  const answer = await fetch("/oauth/token", {
    method: "POST",
    headers: { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    credentials: "omit",
  });
  if (!answer.ok) throw new Error(await problem(answer));
  return { authorization: `Bearer ${(await answer.json()).access_token}` };
}

async function signIn(form) {
  const button = form.querySelector("button.primary");
  button.disabled = true;
  try {
    const held = await proof(form);
    const why = await load(location.href, held);
    if (why) tell(form, why);
    else credential = held;
  } catch (error) {
    tell(form, error.message);
  } finally {
    button.disabled = false;
  }
}

// --- downloads and calls

async function download(link) {
  const answer = await fetch(link.href, { headers: credential, cache: "no-store" });
  if (!answer.ok) return location.reload();
  const file = document.createElement("a");
  file.href = URL.createObjectURL(await answer.blob());
  file.download = link.dataset.download;
  file.click();
  setTimeout(() => URL.revokeObjectURL(file.href), 1000);
}

function request(form) {
  const headers = new Headers(credential ?? {});
  const query = new URLSearchParams();
  let path = form.dataset.path;
  for (const [name, value] of new FormData(form)) {
    const [place, ...rest] = name.split(":");
    const key = rest.join(":");
    if (place === "path") path = path.replace(`{${key}}`, encodeURIComponent(value));
    else if (value && place === "query") query.append(key, value);
    else if (value && place === "header") headers.set(key, value);
  }
  const body = form.elements.body?.value;
  if (body !== undefined) headers.set("content-type", "application/json");
  const search = query.toString();
  return [path + (search ? `?${search}` : ""), { method: form.dataset.method, headers, body, cache: "no-store", credentials: "omit" }];
}

function readable(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  // Digits stay as they were sent: only blanks are put between what stands there.
  let depth = 0;
  return text.replace(/"(?:[^"\\]|\\.)*"|[{}[\],:]|\s+/g, (part) => {
    if (part === "{" || part === "[") return `${part}\n${"  ".repeat(++depth)}`;
    if (part === "}" || part === "]") return `\n${"  ".repeat(--depth)}${part}`;
    if (part === ",") return `,\n${"  ".repeat(depth)}`;
    if (part === ":") return ": ";
    return part.trim() === "" ? "" : part;
  });
}

async function send(form) {
  const [address, options] = request(form);
  const started = performance.now();
  const place = form.querySelector("[data-answer]");
  const unsent = form.querySelector("[data-unsent]");
  try {
    const answer = await fetch(address, options);
    const text = await answer.text();
    const status = place.querySelector("[data-status]");
    status.textContent = answer.status;
    status.className = `status ${answer.ok ? "good" : "bad"}`;
    place.querySelector("[data-time]").textContent = `${Math.round(performance.now() - started)} ms`;
    place.querySelector("[data-body]").textContent = readable(text);
    place.hidden = false;
    unsent.hidden = true;
    if (settled(answer.status)) fresh(form);
  } catch {
    unsent.hidden = false;
  }
}

// Whether a call came to its end: one that may be under way, or may have been booked, is sent again with its key.
function settled(status) {
  return status < 500 && ![408, 409, 425, 429].includes(status);
}

function fresh(form) {
  const key = form.elements["header:Idempotency-Key"];
  if (key) key.value = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- the list: what has the words that were typed

function find(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const group of document.querySelectorAll("[data-group]")) {
    let any = false;
    const name = group.querySelector("h2").textContent;
    for (const call of group.querySelectorAll("[data-call]")) {
      const text = `${name} ${call.textContent}`.toLowerCase();
      call.hidden = !wanted.every((word) => text.includes(word));
      any ||= !call.hidden;
    }
    group.hidden = !any;
    shown += any;
  }
  document.querySelector("[data-nothing]").hidden = shown > 0 || wanted.length === 0;
}

// --- what people do

function ready() {
  document.querySelectorAll("[data-try]").forEach(fresh);
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.matches("[data-sign-in]")) signIn(event.target);
  if (event.target.matches("[data-try]")) send(event.target);
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-find]")) find(event.target.value);
});

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest(selector);
  if (at("[data-open-sign-in]")) document.getElementById("sign-in").showModal();
  if (at("[data-close]")) document.getElementById("sign-in").close();
  if (at("[data-sign-out]")) location.reload();
  const link = at("a[href]");
  if (!link || credential === null || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  if (link.dataset.download !== undefined) {
    event.preventDefault();
    download(link);
  } else if (link.origin === location.origin && link.pathname.startsWith("/docs") && !link.hash) {
    event.preventDefault();
    go(link.href, true);
  }
});

addEventListener("popstate", () => {
  if (credential !== null) go(location.href, false);
  else location.reload();
});

ready();
