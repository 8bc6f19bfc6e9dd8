// One customer: the name, what became of the orders, what was spent.

import { get, Problem } from "./api.js";
import { element, levelBadge, stateChip } from "./elements.js";
import { listen } from "./model.js";
import { problemCard } from "./order-form.js";
import { age, count, money } from "./words.js";

/** The least time between two questions for a customer. */
const AGAIN_MS = 1_000;

/** Shows a customer in `panel`, and keeps it up to date until the function that is returned is called. */
export function showCustomer(panel, id) {
  const leaving = new AbortController();
  let isAsking = false;
  let isStale = false;
  const ask = async () => {
    isStale = isAsking;
    if (isAsking) return;
    isAsking = true;
    try {
      const customer = await get(`/v1/customers/${encodeURIComponent(id)}`, leaving.signal);
      if (!leaving.signal.aborted) panel.show(...customerView(customer));
    } catch (error) {
      if (!(error instanceof Problem) || leaving.signal.aborted) return;
      panel.show(error.status === 404 ? element("p", { class: "muted" }, "Nobody knows this customer.") : problemCard(error));
    } finally {
      // What is asked counts all orders of the customer: once a second is enough.
      setTimeout(again, AGAIN_MS);
    }
  };
  const again = () => {
    isAsking = false;
    if (isStale && !leaving.signal.aborted) ask();
  };
  panel.show(element("p", { class: "muted" }, "Loading…"));
  ask();
  const stop = listen(({ orders, customers, isAnew }) => {
    const isOfIt = orders.some(({ customerId }) => String(customerId) === id) || customers.some((it) => String(it.id) === id);
    if (isAnew || isOfIt) ask();
  });
  return () => {
    stop();
    leaving.abort();
  };
}

function customerView(customer) {
  const states = Object.entries(customer.orders);
  const recent = customer.recent.map((order) =>
    element("li", {}, element("a", { class: "recent", href: `#/orders/${encodeURIComponent(order.id)}` },
      stateChip(order.state), element("span", { class: "id" }, order.id),
      element("span", { class: "muted" }, age(order.createdAt)))));
  return [
    element("div", { class: "panel-lead" },
      element("strong", {}, `${customer.firstName} ${customer.lastName}`), levelBadge(customer.level)),
    element("dl", { class: "facts" },
      fact("Number", String(customer.id)),
      fact("Orders", states.map(([state, number]) => `${count(number)} ${state}`).join(", ") || "none"),
      fact("Spent", customer.spent.map(({ amount, currency }) => money(amount, currency)).join(", ") || "nothing")),
    element("h3", {}, "Last orders"),
    element("ul", { class: "plain" }, recent),
  ];
}

function fact(name, value) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, value));
}
