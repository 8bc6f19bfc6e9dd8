// The grid of orders: rows change in place, new ones come at the top, older ones as one scrolls down.

import { drawn } from "./drawing.js";
import { arrange, element, highlight, levelBadge, say, setState, stateChip } from "./elements.js";
import { model, reloadOrders } from "./model.js";
import { age, count, counted, due, money } from "./words.js";

/** How near the end one has to be for older orders to be fetched. */
const NEAR_PX = 600;

/** How many rows light up at once: where everything does, nobody sees what has changed. */
const HIGHLIGHTED = 6;

/** A customer number is asked for when nobody has typed for so long. */
const TYPED_MS = 300;

export function ordersGrid() {
  const body = document.getElementById("orders-body");
  const filters = document.getElementById("filters");
  const newer = document.getElementById("newer");
  const end = document.getElementById("orders-end");
  const rows = new Map();
  let isLoading = false;

  drawn(["orders"], () => draw(body, rows, newer, end));
  setInterval(() => {
    for (const row of rows.values()) row.grow();
  }, 1_000);

  body.addEventListener("keydown", (event) => move(event, body));
  body.addEventListener("focusin", ({ target }) => {
    body.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    target.closest("[role=row]").setAttribute("tabindex", "0");
  });
  newer.addEventListener("click", () => {
    scrollTo({ top: top(), behavior: "instant" });
    model.recent.follows = true;
    reloadOrders();
  });
  addEventListener("scroll", scrolled, { passive: true });
  filterBy(filters);

  async function scrolled() {
    if (document.getElementById("orders").hidden) return;
    const { recent } = model;
    const wasFollowing = recent.follows;
    recent.follows = body.getBoundingClientRect().top > 0;
    if (recent.follows && !wasFollowing && (recent.unseen || recent.isCut)) reloadOrders();
    const left = document.documentElement.scrollHeight - innerHeight - scrollY;
    if (isLoading || left > NEAR_PX || !recent.hasOlder) return;
    isLoading = true;
    try {
      const gone = await recent.loadOlder();
      const height = body.firstElementChild?.offsetHeight ?? 0;
      draw(body, rows, newer, end);
      if (gone) scrollBy({ top: -gone * height, behavior: "instant" });
    } catch (error) {
      say(end, error.message);
    } finally {
      isLoading = false;
    }
  }

  /** Where the page is scrolled to when the grid begins. */
  function top() {
    return Math.max(0, scrollY + document.getElementById("orders-card").getBoundingClientRect().top - 80);
  }
}

function draw(body, rows, newer, end) {
  const { recent } = model;
  const shown = new Set();
  const changed = [];
  for (const order of recent.orders) {
    shown.add(order.id);
    if (!rows.has(order.id)) rows.set(order.id, makeRow(order));
    if (rows.get(order.id).update(order)) changed.push(rows.get(order.id).element);
  }
  for (const id of rows.keys()) {
    if (!shown.has(id)) rows.delete(id);
  }
  const elements = recent.orders.map(({ id }) => rows.get(id).element);
  arrange(body, elements);
  changed.filter(isSeen).slice(0, HIGHLIGHTED).forEach(highlight);
  // The tab key leads to the newest row, unless it has led to one already.
  if (!body.contains(document.activeElement)) body.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
  if (!body.querySelector("[tabindex='0']")) elements[0]?.setAttribute("tabindex", "0");
  newer.hidden = recent.follows || (recent.unseen === 0 && !recent.isCut);
  say(newer, recent.unseen ? `↑ ${counted(recent.unseen, "new order")}` : "↑ Back to the newest");
  say(end, last(recent));
}

/** Whether a row is in the window. */
function isSeen(row) {
  const { top, bottom } = row.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

function last(recent) {
  if (!model.isLoaded) return model.failure ?? "Loading…";
  if (recent.orders.length === 0) return isFiltered(recent) ? "No order is like that." : "No orders yet: place one.";
  return recent.hasOlder ? "Older ones follow as you scroll." : "These are all.";
}

function isFiltered({ filter }) {
  return Object.values(filter).some((value) => value !== "");
}

/** One row, which remembers its cells. */
function makeRow(first) {
  const chip = stateChip(first.state);
  const [id, customer, product, quantity, price, paid, since] = ["id", "customer", "product", "number quantity",
    "number price", "number paid", "number age"].map((name) => element("span", { role: "gridcell", class: name }));
  const state = element("span", { role: "gridcell", class: "state-cell" }, chip);
  const row = element("div", { role: "row", tabindex: "-1", "data-id": first.id, onclick: open, onkeydown: enter },
    state, id, customer, product, quantity, price, paid, since);
  let shown = null;

  /** Whether somebody should notice. */
  function update(order) {
    if (order === shown) return false;
    const isChange = shown !== null && (shown.version !== order.version || Number(shown.paid) !== Number(order.paid));
    const isFresh = shown === null && Date.now() - Date.parse(order.createdAt) < 2_000;
    shown = order;
    setState(chip, order.state);
    state.title = order.reasons.join("\n");
    say(id, order.id);
    customer.replaceChildren(...named(order));
    say(product, order.product);
    say(quantity, count(order.quantity));
    say(price, money(order.price, order.currency));
    say(paid, Number(order.paid) === 0 ? "–" : money(order.paid, order.currency));
    paid.classList.toggle("whole", Number(order.paid) > 0 && due(order) === null);
    grow();
    return isChange || isFresh;
  }

  function grow() {
    say(since, age(shown.createdAt));
  }

  function open() {
    location.hash = `#/orders/${encodeURIComponent(shown.id)}`;
  }

  function enter(event) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open();
    }
  }

  return { element: row, update, grow };
}

/** The name and level of a customer, or the number if nobody knows more. */
function named({ customerId, customer }) {
  if (!customer) return [element("span", { class: "name muted" }, `customer ${customerId}`)];
  const name = `${customer.firstName} ${customer.lastName}`;
  return [element("span", { class: "name" }, name), levelBadge(customer.level)];
}

/** One row is reached by the tab key, the others from there by the arrows. */
function move(event, body) {
  const row = event.target.closest("[role=row]");
  const next = {
    ArrowDown: row?.nextElementSibling,
    ArrowUp: row?.previousElementSibling,
    Home: body.firstElementChild,
    End: body.lastElementChild,
  }[event.key];
  if (!next || !(event.key in { ArrowDown: 1, ArrowUp: 1, Home: 1, End: 1 })) return;
  event.preventDefault();
  next.focus();
}

/** State, customer and product, as soon as they are chosen. */
function filterBy(filters) {
  let typed = 0;
  const take = () => {
    const wanted = Object.fromEntries([...new FormData(filters)].map(([name, value]) => [name, value.trim()]));
    if (JSON.stringify(wanted) === JSON.stringify(model.recent.filter)) return;
    model.recent.filter = wanted;
    reloadOrders();
  };
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", ({ target }) => {
    clearTimeout(typed);
    if (target.tagName === "SELECT") take();
    else typed = setTimeout(take, TYPED_MS);
  });
  filters.addEventListener("reset", () => setTimeout(take));
  drawn(["stock"], () => {
    const products = document.getElementById("products");
    if (products.childElementCount === model.stock.size) return;
    products.replaceChildren(...[...model.stock.keys()].sort().map((product) => element("option", { value: product })));
  });
  drawn(["orders"], () => (document.getElementById("clear").hidden = !isFiltered(model.recent)));
}

/** Puts the focus on the row of an order, if it is shown. */
export function focusRow(id) {
  document.querySelector(`#orders-body [data-id="${CSS.escape(id)}"]`)?.focus({ preventScroll: true });
}
