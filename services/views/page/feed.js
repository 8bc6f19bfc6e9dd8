// The connection over which views tells what changes. It mends itself; what it cannot know it says.

import { apply, applyStatus, load } from "./model.js";
import { parse } from "./api.js";
import { touch } from "./drawing.js";

/** A status comes every two seconds; a connection that is silent for so long is dead. */
const SILENCE_MS = 12_000;

/** How long to wait before a connection that was given up is made anew. */
const AGAIN_MS = 1_000;

export const connection = {
  /** Whether views tells what changes. */
  isLive: false,
  /** When what is shown was true last; null if it never was. */
  trueAt: null,
  /** Why the database or the broker cannot be asked; null if they can. */
  database: null,
  broker: null,
};

let source = null;
let heardAt = 0;

/** Follows the feed for as long as the page is open. */
export function follow() {
  connect();
  setInterval(watch, 1_000);
  document.addEventListener("visibilitychange", watch);
  window.addEventListener("online", watch);
}

function connect() {
  source?.close();
  source = new EventSource("/v1/changes");
  heardAt = Date.now();
  source.addEventListener("open", () => heard());
  source.addEventListener("error", lost);
  // Without a place to resume from, or with one that views no longer knows, everything is loaded anew.
  source.addEventListener("hello", () => heard(load));
  source.addEventListener("reset", () => heard(load));
  source.addEventListener("changes", ({ data }) => heard(() => apply(parse(data))));
  source.addEventListener("status", ({ data }) => heard(() => status(parse(data))));
}

function heard(take = () => {}) {
  heardAt = Date.now();
  const wasLive = connection.isLive;
  connection.isLive = true;
  take();
  if (isTrue()) connection.trueAt = heardAt;
  if (!wasLive) touch("connection");
}

/** Whether what is shown is true now. */
export function isTrue() {
  return connection.isLive && connection.database === null && connection.broker === null;
}

function lost() {
  if (!connection.isLive) return;
  connection.isLive = false;
  touch("connection");
}

function status(told) {
  const isNews = connection.database !== told.database || connection.broker !== told.broker;
  connection.database = told.database;
  connection.broker = told.broker;
  applyStatus(told);
  if (isNews) touch("connection");
}

/** The browser connects again by itself, from where it was, unless it has given up or does not notice that nobody is there. */
function watch() {
  const silence = Date.now() - heardAt;
  const hasGivenUp = source.readyState === EventSource.CLOSED && silence > AGAIN_MS;
  if (hasGivenUp || silence > SILENCE_MS) {
    lost();
    connect();
  }
}
