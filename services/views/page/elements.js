// How the page makes and changes what is seen. What comes from outside is only ever set as text.

/** Makes an element: `element("a", {href: "#/topics", onclick: …}, "text", another)`. What is null or false is left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** The same for drawings. */
export function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Sets a text, and touches nothing if it is that already. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Gives `parent` these children in this sequence, and moves only those that stand elsewhere. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) {
    if (!wanted.has(child)) child.remove();
  }
  let here = parent.firstElementChild;
  for (const child of children) {
    if (child === here) here = here.nextElementSibling;
    else parent.insertBefore(child, here);
  }
}

/** A row per item that stays the same element as long as the item's key is there: `make(item)` once, `update(row, item)` always. */
export function keyedList(parent, keyOf, make, update) {
  let rows = new Map();
  return (items) => {
    const next = new Map();
    for (const item of items) {
      const key = keyOf(item);
      const row = rows.get(key) ?? make(item);
      update(row, item);
      next.set(key, row);
    }
    rows = next;
    arrange(parent, [...next.values()]);
  };
}

/** Gives `parent` other children; the focus stays on what has the same id, or goes to `fallback()`. */
export function replace(parent, children, fallback) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  parent.replaceChildren(...children.flat().filter(Boolean));
  if (!focused) return;
  const same = focused.id ? document.getElementById(focused.id) : null;
  (same ?? fallback())?.focus({ preventScroll: true });
}

/** Lights up what has just changed, for those who do not mind movement. */
export function highlight(node) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const color = getComputedStyle(document.documentElement).getPropertyValue("--highlight").trim();
  if (node.getAnimations().length) return;
  node.animate([{ backgroundColor: color }, { backgroundColor: "transparent" }], { duration: 1200, easing: "ease-out" });
}

/** The state of an order, as everywhere on the page. */
export function stateChip(state) {
  return element("span", { class: "state", "data-state": state }, state);
}

export function setState(chip, state) {
  if (chip.dataset.state === state) return;
  chip.dataset.state = state;
  chip.textContent = state;
}

/** The level of a customer. */
export function levelBadge(level) {
  return element("span", { class: "level", "data-level": level }, level.toLowerCase());
}

/** A button that copies what `text` gives when it is pressed. */
export function copyButton(text) {
  const button = element("button", { type: "button", class: "quiet" }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text())) ? "Copied" : "Select and copy";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}

/** The clipboard is there for pages of this machine and of TLS only. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
