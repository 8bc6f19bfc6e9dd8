// Places orders, shows the command that would do the same, and what becomes of the order.

import { get, Problem, postToFirst } from "./api.js";
import { drawn } from "./drawing.js";
import { copyButton, element, setState, stateChip } from "./elements.js";
import { listen, model } from "./model.js";
import { PRESETS } from "./presets.js";

const FIELDS = ["id", "customerId", "product", "quantity", "price"];

const IS_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/;

export function orderForm() {
  const form = document.getElementById("order-form");
  const outcome = document.getElementById("outcome");
  const curl = document.getElementById("curl");
  let chosen = null;
  const presets = PRESETS.map((preset) => {
    const choose = () => choosePreset(preset);
    return element("button", { type: "button", class: "chip", onclick: choose, title: preset.hint }, preset.name);
  });
  document.getElementById("presets").append(...presets);
  document.getElementById("copy").append(copyButton(() => curl.textContent));
  form.addEventListener("input", () => {
    press(null);
    show();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    place(form, outcome).then((isPlaced) => {
      if (isPlaced && chosen) choosePreset(chosen);
      else if (isPlaced) form.elements.id.value = newId();
      show();
    });
  });
  drawn(["services"], show);
  choosePreset(PRESETS[0]);

  function choosePreset(preset) {
    const order = preset.order();
    for (const field of FIELDS) form.elements[field].value = order[field] ?? newId();
    press(preset);
    show();
  }

  function press(preset) {
    chosen = preset;
    presets.forEach((button, at) => button.setAttribute("aria-pressed", String(PRESETS[at] === preset)));
  }

  function show() {
    curl.textContent = command(model.services.ordersUrls[0] ?? "http://127.0.0.1:8080", body(form));
  }
}

/** An id of one's own makes the order the same one however often it is sent. */
function newId() {
  const letters = "abcdefghijkmnpqrstuvwxyz23456789";
  const random = crypto.getRandomValues(new Uint8Array(10));
  return `web-${Array.from(random, (byte) => letters[byte % letters.length]).join("")}`;
}

/** The body as it is sent: what is no number goes as text, so that one sees what the service makes of it. */
function body(form) {
  const members = FIELDS.map((field) => [field, form.elements[field].value.trim()]).filter(([, value]) => value !== "");
  const isText = (field, value) => field === "id" || field === "product" || !IS_NUMBER.test(value);
  const written = members.map(([field, value]) => `"${field}": ${isText(field, value) ? JSON.stringify(value) : value}`);
  return `{${written.join(", ")}}`;
}

/** In single quotes, in which a shell finds nothing special but the quote itself. */
function command(url, text) {
  const quoted = text.replaceAll("'", `'\\''`);
  return `curl -i ${url}/v1/orders \\\n  -H 'content-type: application/json' \\\n  -d '${quoted}'`;
}

/** Whether it is placed now. */
async function place(form, outcome) {
  const button = form.querySelector("[type=submit]");
  const id = form.elements.id.value.trim();
  button.disabled = true;
  try {
    const { status, document } = await postToFirst(model.services.ordersUrls, "/v1/orders", body(form));
    outcome.replaceChildren(placed(document ?? { id, state: "ACCEPTED", reasons: [] }, status));
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    outcome.replaceChildren(problemCard(error));
    return false;
  } finally {
    button.disabled = false;
  }
}

let stopListening = () => {};

/** What became of the order, kept up to date until the next one. */
function placed(order, status) {
  const chip = stateChip(order.state);
  const link = element("a", { href: `#/orders/${encodeURIComponent(order.id)}` }, order.id);
  const reasons = element("p", { class: "reason" });
  let shownVersion = 0;
  const show = ({ state, reasons: why, version = 0 }) => {
    if (version < shownVersion) return;
    shownVersion = version;
    setState(chip, state);
    reasons.textContent = why.join(" · ");
  };
  show(order);
  stopListening();
  // The feed may have been faster than the answer.
  show(model.recent.find(order.id) ?? order);
  stopListening = listen(({ orders, isAnew }) => {
    orders.filter(({ id }) => id === order.id).forEach(show);
    // What came while the feed was away: the order may be none of those that are listed. If nobody answers, the feed tells it.
    if (isAnew) get(`/v1/orders/${encodeURIComponent(order.id)}`).then(show, () => {});
  });
  return element("div", { class: "outcome good", "data-order": order.id }, element("p", {}, chip, " ", link,
    element("span", { class: "muted" }, ` answered ${status}`)), reasons);
}

/** A problem as the service told it, in words and as the document. */
export function problemCard({ document, status, message }) {
  const errors = (document.errors ?? []).map(({ pointer, parameter, detail }) =>
    element("li", {}, element("code", {}, pointer ?? parameter ?? ""), ` ${detail}`));
  const title = [status || null, document.title].filter(Boolean).join(" ");
  return element("div", { class: "outcome bad" },
    element("p", {}, element("strong", {}, title)),
    element("p", {}, message),
    errors.length ? element("ul", {}, errors) : null,
    element("details", {}, element("summary", {}, "The problem document"),
      element("pre", { tabindex: "0" }, JSON.stringify(document, null, 2))));
}
