// Live parts, security keys and keyboard. Everything but security keys works without this file.

const POLL = 5000;

function bytes(text) {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
}

function text(buffer) {
  const characters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(characters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

// --- live parts: ask again for the same part, and put it in place when it is another

function busy(element) {
  const active = document.activeElement;
  return active !== null && active !== document.body && element.contains(active) && active.matches("input, textarea, select");
}

function follow(element) {
  let tag = "";
  const turn = async () => {
    if (document.hidden) return;
    let answer;
    try {
      answer = await fetch(element.dataset.live, { headers: tag ? { "if-none-match": tag } : {}, cache: "no-store" });
    } catch {
      return;
    }
    if (answer.status === 401) location.reload();
    if (answer.status !== 200) return;
    tag = answer.headers.get("etag") ?? "";
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = fresh.querySelector("[data-part]");
    const old = element.querySelector("[data-part]");
    if (part === null || old === null || busy(old)) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const changed = element.dataset.watch !== undefined && part.dataset.version !== element.dataset.watch;
    old.replaceWith(part);
    part.querySelector("[data-changed]")?.toggleAttribute("hidden", !changed);
    if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  };
  setInterval(turn, POLL);
  document.addEventListener("visibilitychange", turn);
}

// --- security keys

async function question(form, place) {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) fields.append(name, value);
  const answer = await fetch(place, { method: "POST", body: fields, headers: { accept: "application/json" } });
  const body = await answer.json();
  if (body.again) location.assign(body.again);
  if (!answer.ok) throw new Error(body.title ?? "refused");
  return body;
}

async function sign(form) {
  const options = await question(form, form.dataset.sign);
  options.challenge = bytes(options.challenge);
  for (const key of options.allowCredentials ?? []) key.id = bytes(key.id);
  const made = await navigator.credentials.get({ publicKey: options });
  form.elements.assertion.value = JSON.stringify({
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    response: {
      clientDataJSON: text(made.response.clientDataJSON),
      authenticatorData: text(made.response.authenticatorData),
      signature: text(made.response.signature),
      userHandle: made.response.userHandle ? text(made.response.userHandle) : null,
    },
  });
}

async function register(form) {
  const options = await question(form, form.dataset.register);
  options.challenge = bytes(options.challenge);
  options.user.id = bytes(options.user.id);
  for (const key of options.excludeCredentials ?? []) key.id = bytes(key.id);
  const made = await navigator.credentials.create({ publicKey: options });
  form.elements.attestation.value = JSON.stringify({
    id: made.id,
    rawId: text(made.rawId),
    type: made.type,
    response: { clientDataJSON: text(made.response.clientDataJSON), attestationObject: text(made.response.attestationObject) },
  });
}

function keyed(form, work) {
  const button = form.querySelector("[data-enable]");
  if (button === null) return;
  button.disabled = !("credentials" in navigator);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await work(form);
      form.submit();
    } catch {
      form.querySelector("[data-failed]").hidden = false;
      button.disabled = false;
    }
  });
}

// --- keyboard: j and k walk through the list, as the arrows do

function walk(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  const links = Array.from(document.querySelectorAll(".row-link"));
  if (step === undefined || links.length === 0) return;
  const at = links.indexOf(document.activeElement);
  if (at === -1 && event.key.startsWith("Arrow")) return;
  event.preventDefault();
  links[Math.min(Math.max(at + step, 0), links.length - 1)].focus();
}

// --- the button that leads to the decision is away where the decision is in sight

function jump(button, target) {
  new IntersectionObserver(([entry]) => button.classList.toggle("away", entry.isIntersecting)).observe(target);
}

document.querySelectorAll("[data-live]").forEach(follow);
document.querySelectorAll("[data-sign]").forEach((form) => keyed(form, sign));
document.querySelectorAll("[data-register]").forEach((form) => keyed(form, register));
document.addEventListener("keydown", walk);
const decide = document.getElementById("decide");
document.querySelectorAll(".jump").forEach((button) => decide && jump(button, decide));
