// The small parts around the grid: stock, orders per minute, the mail that went out, and whether what is shown is true.

import { connection, isTrue } from "./feed.js";
import { drawing, element, highlight, keyedList, say } from "./elements.js";
import { drawn, touch } from "./drawing.js";
import { model } from "./model.js";
import { clock, count, counted } from "./words.js";

export function stock() {
  const list = keyedList(document.getElementById("stock-list"), ({ product }) => product, makeLevel, updateLevel);
  const empty = document.getElementById("stock-empty");
  drawn(["stock"], () => {
    list([...model.stock.values()].sort((one, other) => (one.product < other.product ? -1 : 1)));
    empty.hidden = model.stock.size > 0 || !model.isLoaded;
  });
}

function makeLevel({ product }) {
  return element("li", { class: "level-row" },
    element("span", { class: "product" }, product),
    element("span", { class: "available" }),
    element("span", { class: "bar", "aria-hidden": "true" }, element("span", { class: "reserved" })),
    element("span", { class: "muted detail" }));
}

function updateLevel(row, { onHand, reserved, available }) {
  const [, free, bar, detail] = row.children;
  const text = `${count(available)} available`;
  const isChange = free.textContent !== "" && free.textContent !== text;
  say(free, text);
  say(detail, `${count(onHand)} on hand, ${count(reserved)} reserved`);
  const share = onHand > 0 ? Math.min(1, Math.max(0, Number(reserved) / Number(onHand))) : 0;
  bar.classList.toggle("none", onHand <= 0);
  // What is reserved of very many would not be seen: it has a width of its own as soon as there is any.
  bar.firstElementChild.style.width = reserved > 0 ? `max(3px, ${(share * 100).toFixed(2)}%)` : "0";
  if (isChange) highlight(free);
}

const CHART = { width: 360, height: 92, bar: 6 };

export function minutes() {
  const chart = document.getElementById("minutes-chart");
  const text = document.getElementById("minutes-text");
  const bars = Array.from({ length: 60 }, (_, at) => {
    const x = String(at * CHART.bar + 0.5);
    const bar = (name) => drawing("rect", { class: name, x, width: String(CHART.bar - 1), rx: "1" });
    return { orders: bar("orders"), failed: bar("failed") };
  });
  chart.append(...bars.flatMap(({ orders, failed }) => [orders, failed]));
  drawn(["minutes"], () => {
    const hour = model.minutes.lastHour();
    const most = Math.max(1, ...hour.map(({ orders, failed }) => Math.max(orders, failed)));
    hour.forEach((minute, at) => {
      stand(bars[at].orders, minute.orders / most, 2);
      stand(bars[at].failed, minute.failed / most, 1);
    });
    const [orders, failed] = ["orders", "failed"].map((name) => hour.reduce((sum, minute) => sum + minute[name], 0));
    say(text, `${counted(orders, "order")}, ${count(failed)} failed in the last hour; ${count(hour.at(-1).orders)} this minute`);
    chart.setAttribute("aria-label", text.textContent);
    say(document.getElementById("minutes-most"), `up to ${count(most)}`);
  });
  setInterval(() => touch("minutes"), 15_000);
  // Clocks differ, and not every order is remembered: what was counted here is counted anew by whoever has all of them.
  setInterval(() => model.minutes.load().then(() => touch("minutes"), () => {}), 60_000);
}

function stand(bar, share, least) {
  const height = share > 0 ? Math.max(least, share * CHART.height) : 0;
  const text = height.toFixed(1);
  if (bar.getAttribute("height") === text) return;
  bar.setAttribute("height", text);
  bar.setAttribute("y", (CHART.height - height).toFixed(1));
}

export function mails() {
  const parent = document.getElementById("mails-list");
  const list = keyedList(parent, ({ id }) => id, makeMail, () => {});
  drawn(["mails"], () => {
    list(model.mails);
    document.getElementById("mails-empty").hidden = model.mails.length > 0 || !model.isLoaded;
  });
}

function makeMail({ orderId, kind, subject, sentAt }) {
  const link = element("a", { href: `#/orders/${encodeURIComponent(orderId)}` }, subject);
  const row = element("li", { class: "mail", "data-kind": kind, "data-order": orderId }, link, element("time", {}, clock(sentAt)));
  if (Date.now() - Date.parse(sentAt) < 2_000) highlight(row);
  return row;
}

/** The line that says whether what is shown is true, and which part is down. */
export function connectionLine() {
  const badge = document.getElementById("connection");
  const banner = document.getElementById("banner");
  drawn(["connection", "cluster"], () => {
    const { isLive, trueAt } = connection;
    badge.dataset.state = isTrue() ? "live" : trueAt ? "lost" : "connecting";
    const shown = trueAt ? `, showing what was true at ${clock(trueAt)}` : "";
    say(badge, isTrue() ? "live" : isLive ? `standing still${shown}` : trueAt ? `reconnecting${shown}` : "connecting");
    const troubles = isLive ? troublesNow() : [];
    banner.hidden = troubles.length === 0;
    say(banner, troubles.join(" "));
  });
}

function troublesNow() {
  const { database, broker } = connection;
  const idle = (model.cluster?.groups ?? []).filter(({ members }) => members.length === 0).map(({ group }) => group);
  return [
    database && `The database is away: ${database}`,
    broker && `The broker is away: ${broker}`,
    model.failure && !database && `Not loaded: ${model.failure}`,
    idle.length > 0 && !broker && `Nobody runs ${idle.join(", ")}.`,
  ].filter(Boolean);
}
