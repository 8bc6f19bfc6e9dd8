// What opens beside the grid: one order, or one customer. Escape closes it, and the focus goes back to where it was.

import { replace } from "./elements.js";
import { focusRow } from "./orders-grid.js";
import { showCustomer } from "./customer-panel.js";
import { showOrder } from "./order-panel.js";

const element = document.getElementById("panel");
const content = document.getElementById("panel-content");
const title = document.getElementById("panel-title");

let leave = () => {};
let shown = null;

const panel = {
  /** Shows this instead of what is there, and stays where one has scrolled to and where the focus is. */
  show(...children) {
    const scrolled = element.scrollTop;
    replace(content, children, () => title);
    element.scrollTop = scrolled;
  },
};

/** Opens what the address names: `["orders", id]`, `["customers", id]`, or closes. */
export function openPanel([kind, id]) {
  const show = { orders: showOrder, customers: showCustomer }[kind];
  const wanted = show && id ? `${kind}/${id}` : null;
  if (wanted === shown) return;
  leave();
  leave = () => {};
  const before = shown;
  shown = wanted;
  element.hidden = wanted === null;
  if (wanted) {
    title.textContent = kind === "orders" ? "Order" : "Customer";
    leave = show(panel, id);
    element.scrollTop = 0;
    title.focus({ preventScroll: true });
  } else if (before?.startsWith("orders/")) {
    focusRow(before.slice("orders/".length));
  }
}

export function closeOnEscape() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && shown) location.hash = "#/orders";
  });
}
