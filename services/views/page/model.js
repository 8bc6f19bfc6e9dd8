// All the page knows. It is loaded once and then told by the feed what has changed; the parts of the page are drawn from it.

import { get, isPassing } from "./api.js";
import { touch } from "./drawing.js";
import { Minutes } from "./minutes-count.js";
import { OrdersWindow } from "./orders-window.js";

const MAILS_KEPT = 50;

/** After how long a failed load is tried again. */
const AGAIN_MS = 2_000;

export const model = {
  /** The orders that are shown. */
  recent: new OrdersWindow(),
  minutes: new Minutes(),
  /** By product. */
  stock: new Map(),
  /** Newest first. */
  mails: [],
  /** The groups of the services, as the last status told them; null if nobody knows. */
  cluster: null,
  /** Where services are reached that this page talks to. */
  services: { ordersUrls: [], paymentsUrls: [], customersUrls: [] },
  isLoaded: false,
  /** Why what is shown could not be loaded; null if it could. */
  failure: null,
};

/** Those who want to know of each order, customer or mail that the feed tells. */
const listeners = new Set();

/** Has `hear({orders, customers, mails, isAnew})` called with all that the feed tells from now on, and when all was loaded anew. */
export function listen(hear) {
  listeners.add(hear);
  return () => listeners.delete(hear);
}

let loads = 0;
let retry = 0;
let retryOrders = 0;
/** What the feed told while everything was loaded, which may be newer than what is answered; null at other times. */
let meanwhile = null;

/** Forgets everything and loads it anew. */
export async function load() {
  const mine = ++loads;
  clearTimeout(retry);
  meanwhile = [];
  try {
    const { recent, minutes } = model;
    const [services, stock, mails] = await Promise.all([
      get("/v1/page"),
      get("/v1/stock"),
      get(`/v1/mails?limit=${MAILS_KEPT}`),
      minutes.load(),
      recent.load(),
    ]);
    if (mine !== loads) return;
    model.services = services;
    model.stock = new Map(stock.stock.map((level) => [level.product, level]));
    model.mails = mails.mails;
    meanwhile.forEach(takeAside);
    meanwhile = null;
    model.isLoaded = true;
    model.failure = null;
    tell({ orders: [], customers: [], mails: [], isAnew: true });
  } catch (error) {
    if (mine !== loads) return;
    model.failure = error.message;
    retry = setTimeout(load, AGAIN_MS);
  }
  touch("orders", "stock", "mails", "minutes", "services", "connection");
}

/** Loads the orders anew, as after a change of the filter. */
export async function reloadOrders() {
  clearTimeout(retryOrders);
  try {
    await model.recent.load();
    model.failure = null;
  } catch (error) {
    model.failure = error.message;
    if (isPassing(error)) retryOrders = setTimeout(reloadOrders, AGAIN_MS);
  }
  touch("orders", "connection");
}

/** Takes what the feed tells: rows as they are now. */
export function apply({ orders = [], customers = [], stock = [], mails = [] }) {
  for (const order of orders) {
    model.minutes.apply(order);
    model.recent.apply(order);
  }
  for (const customer of customers) model.recent.rename(customer);
  meanwhile?.push({ stock, mails });
  takeAside({ stock, mails });
  if (orders.length || customers.length) touch("orders", "minutes");
  if (stock.length) touch("stock");
  if (mails.length) touch("mails");
  tell({ orders, customers, mails, isAnew: false });
}

/** Takes levels and mails, each once and none in place of a newer one. */
function takeAside({ stock, mails }) {
  for (const level of stock) {
    if (level.version >= (model.stock.get(level.product)?.version ?? 0)) model.stock.set(level.product, level);
  }
  const known = new Set(model.mails.map(({ id }) => id));
  const news = mails.filter(({ id }) => !known.has(id));
  if (news.length) model.mails = [...news, ...model.mails].sort(bySentAt).slice(0, MAILS_KEPT);
}

function tell(news) {
  for (const hear of [...listeners]) hear(news);
}

function bySentAt(one, other) {
  return Date.parse(other.sentAt) - Date.parse(one.sentAt);
}

/** Takes how the parts are. */
export function applyStatus({ cluster }) {
  model.cluster = cluster;
  touch("cluster");
}
