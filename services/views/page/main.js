// The page: its parts are set up once; the address behind # says what is open, so that every view has a link.

import { closeOnEscape, openPanel } from "./panel.js";
import { connectionLine, mails, minutes, stock } from "./side.js";
import { follow } from "./feed.js";
import { instances } from "./instances.js";
import { orderForm } from "./order-form.js";
import { ordersGrid } from "./orders-grid.js";
import { showSchema, showTopics } from "./topics.js";

const VIEWS = { orders: "orders", customers: "orders", topics: "topics", schemas: "topics", instances: "instances" };

/** Where the orders were scrolled to when another view was opened. */
let scrolledTo = 0;

orderForm();
ordersGrid();
stock();
minutes();
mails();
instances();
connectionLine();
closeOnEscape();
document.getElementById("skip").addEventListener("click", toContent);
addEventListener("hashchange", open);
open();
follow();

function open() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [kind, ...names] = path.split("/").map(decoded);
  const wanted = VIEWS[kind] ?? "orders";
  choose(wanted);
  openPanel(wanted === "orders" ? [kind, names[0]] : []);
  const parameters = new URLSearchParams(query ?? "");
  if (kind === "topics") showTopics(names, { offset: number(parameters.get("offset")), before: number(parameters.get("before")) });
  if (kind === "schemas") showSchema(names[0]);
}

/** An address that somebody mistyped names nothing; it breaks nothing either. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A number in an address; null if there is none. */
function number(text) {
  return text === null || text === "" || Number.isNaN(Number(text)) ? null : Number(text);
}

/** To the orders, past the form and all mails; elsewhere to the beginning of the view. */
function toContent() {
  const row = document.querySelector("#orders:not([hidden]) #orders-body [tabindex='0']");
  (row ?? document.getElementById("content")).focus();
}

function choose(wanted) {
  const orders = document.getElementById("orders");
  if (!orders.hidden && wanted !== "orders") scrolledTo = scrollY;
  const wasHidden = orders.hidden;
  for (const view of document.querySelectorAll("main > section")) view.hidden = view.id !== wanted;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.dataset.view === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (wanted === "orders" && wasHidden) scrollTo({ top: scrolledTo, behavior: "instant" });
  else if (wanted !== "orders") scrollTo({ top: 0, behavior: "instant" });
}
