// One order: what it is, what was said of it, and its journey with the time between the events.

import { get, postToFirst, Problem } from "./api.js";
import { copyButton, element, levelBadge, stateChip } from "./elements.js";
import { listen, model } from "./model.js";
import { problemCard } from "./order-form.js";
import { clock, count, due, money, span } from "./words.js";

/** How long to wait for an order that the view does not have yet. */
const COMES_WITHIN_MS = 5_000;

/** What is said of an order after its last change (a check that had not spoken yet) is there after so long. */
const SETTLED_MS = 1_000;

/** When to ask again if nobody answered. */
const AGAIN_MS = 2_000;

/** Shows an order in `panel`, and keeps it up to date until the function that is returned is called. */
export function showOrder(panel, id) {
  const leaving = new AbortController();
  const state = { isAsking: false, isStale: false, timer: 0, shown: "", paying: element("div", { role: "status" }) };

  async function ask(version) {
    state.isStale = state.isAsking;
    if (state.isAsking) return;
    state.isAsking = true;
    try {
      const path = `/v1/orders/${encodeURIComponent(id)}?version=${version}&timeout=${COMES_WITHIN_MS}`;
      const order = await get(path, leaving.signal);
      const text = JSON.stringify(order, (key, value) => (typeof value === "bigint" ? String(value) : value));
      if (!leaving.signal.aborted && text !== state.shown) panel.show(...orderView(order, state.paying));
      state.shown = text;
    } catch (error) {
      if (!(error instanceof Problem) || leaving.signal.aborted) return;
      const isAbsent = error.status === 504 || error.status === 404;
      state.shown = "";
      panel.show(isAbsent ? element("p", { class: "muted" }, "There is no such order.") : problemCard(error));
      if (!isAbsent) later(AGAIN_MS);
    } finally {
      state.isAsking = false;
      if (state.isStale && !leaving.signal.aborted) ask(1);
    }
  }

  function later(milliseconds) {
    clearTimeout(state.timer);
    state.timer = setTimeout(() => ask(1), milliseconds);
  }

  function hear({ orders, mails, isAnew }) {
    const order = orders.find((it) => it.id === id);
    if (!order && !isAnew && !mails.some(({ orderId }) => orderId === id)) return;
    ask(order?.version ?? 1);
    later(SETTLED_MS);
  }

  panel.show(element("p", { class: "muted" }, "Loading…"));
  ask(model.recent.find(id)?.version ?? 1);
  const stop = listen(hear);
  return () => {
    stop();
    clearTimeout(state.timer);
    leaving.abort();
  };
}

function orderView(order, paying) {
  const total = Number(order.price) * order.quantity;
  const customer = order.customer
    ? [`${order.customer.firstName} ${order.customer.lastName} `, levelBadge(order.customer.level)]
    : [`customer ${order.customerId}`];
  return [
    element("div", { class: "panel-lead" }, stateChip(order.state),
      element("code", { class: "id" }, order.id), copyButton(() => order.id)),
    order.reasons.length ? element("p", { class: "reason" }, order.reasons.join(" · ")) : null,
    element("dl", { class: "facts" },
      fact("Customer", element("a", { href: `#/customers/${order.customerId}` }, ...customer)),
      fact("Order", `${count(order.quantity)} × ${order.product} at ${money(order.price, order.currency)}`),
      fact("Total", money(total.toFixed(10), order.currency)),
      fact("Paid", Number(order.paid) ? money(order.paid, order.currency) : "nothing yet"),
      fact("Version", `${order.version}, since ${clock(order.updatedAt)}`),
      trace(order)),
    payment(order, paying),
    checks(order.validations),
    element("div", { class: "journey-head" }, element("h3", {}, "Journey"), verdict(order.journey)),
    journey(order.journey),
    order.mails.length ? element("h3", {}, "Mail") : null,
    element("ul", { class: "plain" }, order.mails.map((mail) =>
      element("li", { class: "mail" }, element("span", {}, mail.subject), element("time", {}, clock(mail.sentAt))))),
  ];
}

function fact(name, ...value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, ...value));
}

/** The place of the order in its trace (W3C Trace Context), which begins with the request for it; null if it has none. */
function traceparent(order) {
  return order.journey.find((event) => event.traceparent)?.traceparent ?? null;
}

function trace(order) {
  const id = traceparent(order)?.split("-")[1];
  return id ? fact("Trace", element("code", { class: "id", id: "trace" }, id), copyButton(() => id)) : null;
}

/** An id that leaves room for more, and is another for another order. */
function short(id) {
  if (id.length <= 50) return id;
  const hash = [...id].reduce((sum, letter) => (Math.imul(sum, 31) + letter.codePointAt(0)) >>> 0, 7);
  return `${id.slice(0, 41)}-${hash.toString(16)}`;
}

/** The button that pays what is due, while something is. */
function payment(order, paying) {
  const amount = due(order);
  if (amount === null || order.state === "FAILED" || order.state === "CANCELLED") {
    paying.replaceChildren();
    return null;
  }
  const pay = async () => {
    button.disabled = true;
    paying.replaceChildren(element("p", { class: "muted" }, "Paying…"));
    // The same id however often it is pressed: what was paid is not paid again.
    const id = `${short(order.id)}-pay-${order.journey.filter(({ what }) => what === "paid").length + 1}`;
    const body = `{"id": ${JSON.stringify(id)}, "orderId": ${JSON.stringify(order.id)}, "amount": ${amount}, "currency": ${JSON.stringify(order.currency)}}`;
    try {
      await postToFirst(model.services.paymentsUrls, "/v1/payments", body, traceparent(order));
      paying.replaceChildren(element("p", { class: "muted" }, "Paid; the mail is on its way."));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      paying.replaceChildren(problemCard(error));
      button.disabled = false;
    }
  };
  const button = element("button", { type: "button", id: "pay", class: "primary", onclick: pay },
    `Pay ${money(amount, order.currency)}`);
  return element("div", { class: "pay" }, button, paying);
}

function checks(validations) {
  if (validations.length === 0) return null;
  const rows = validations.map(({ check, result, reason }) =>
    element("li", {}, element("span", { class: "result", "data-result": result }, result), element("span", {}, check),
      reason ? element("span", { class: "muted" }, reason) : null));
  return [element("h3", {}, "Checks"), element("ul", { class: "plain checks" }, rows)];
}

/** How long the checks took together. */
function verdict(events) {
  const given = events.find(({ what }) => what === "VALIDATED" || what === "FAILED");
  if (!given) return null;
  const took = moment(given) - moment(events[0]);
  return Number.isNaN(took) ? null : element("span", { class: "muted" }, `${given.what.toLowerCase()} after ${span(Math.max(0, took))}`);
}

/** When an event was written; when it happened if nobody knows that. */
function moment({ processedAt, happenedAt }) {
  return Date.parse(processedAt ?? happenedAt);
}

/** The events in the sequence in which they were written, each with the time since the one before. */
function journey(events) {
  if (events.length === 0) return element("p", { class: "muted" }, "Nothing has happened yet.");
  const began = moment(events[0]);
  const whole = Math.max(1, moment(events.at(-1)) - began);
  let before = began;
  const items = events.map((event) => {
    const now = moment(event);
    const item = step(event, event === events[0] ? null : now - before, (now - began) / whole);
    before = now;
    return item;
  });
  return element("ol", { class: "journey" }, items);
}

function step(event, sinceMs, share) {
  const { topic, partition, offset, what, note } = event;
  const place = `#/topics/${encodeURIComponent(topic)}/${partition}?offset=${offset}`;
  const track = element("span", { class: "track", "aria-hidden": "true" });
  track.style.setProperty("--at", Math.min(1, Math.max(0, share || 0)).toFixed(4));
  return element("li", { "data-kind": kind(what) },
    element("span", { class: "what" }, what),
    element("span", { class: "since" }, sinceMs === null || Number.isNaN(sinceMs) ? "" : `+${span(Math.max(0, sinceMs))}`),
    note ? element("span", { class: "note" }, note) : null,
    element("span", { class: "place" }, element("time", {}, clock(event.processedAt ?? event.happenedAt, true)), " ",
      element("a", { href: place }, `${topic}/${partition}@${offset}`)),
    track);
}

/** How an event is coloured. */
function kind(what) {
  if (/FAIL|ERROR|expired|CANCELLED/.test(what)) return "bad";
  if (/PASS|VALIDATED|paid|PAID|mailed|SHIPPED/.test(what)) return "good";
  return "plain";
}
