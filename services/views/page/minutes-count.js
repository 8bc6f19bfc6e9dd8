// How many orders came and failed per minute: loaded once, then counted from what the feed tells.

import { get } from "./api.js";

const SHOWN = 60;
const MINUTE_MS = 60_000;

/** Of how many orders it is remembered that they were counted. */
const REMEMBERED = 5_000;

export class Minutes {
  /** By the start of the minute in milliseconds. */
  #counts = new Map();
  /** The orders that were counted last, and whether as failed. */
  #counted = new Map();
  #loadedAt = 0;

  async load() {
    const { minutes } = await get(`/v1/minutes?minutes=${SHOWN}`);
    this.#counts = new Map(minutes.map(({ minute, orders, failed }) => [Date.parse(minute), { orders, failed }]));
    this.#loadedAt = Date.now();
    this.#counted.clear();
  }

  /** Counts an order once when it is new, and once when it has failed; what came before it was loaded is in there. */
  apply({ id, state, createdAt, updatedAt }) {
    const created = Date.parse(createdAt);
    const isFailed = state === "FAILED";
    const wasCounted = this.#counted.has(id);
    const isNew = !wasCounted && created > this.#loadedAt;
    const hasFailed = isFailed && (wasCounted ? !this.#counted.get(id) : Date.parse(updatedAt) > this.#loadedAt);
    if (Number.isNaN(created) || !(isNew || hasFailed)) return;
    const minute = created - (created % MINUTE_MS);
    const count = this.#counts.get(minute) ?? { orders: 0, failed: 0 };
    count.orders += isNew ? 1 : 0;
    count.failed += hasFailed ? 1 : 0;
    this.#counts.set(minute, count);
    this.#counted.set(id, isFailed);
    if (this.#counted.size > REMEMBERED) this.#counted.delete(this.#counted.keys().next().value);
  }

  /** The last hour, oldest first, with every minute in it. What is older is forgotten. */
  lastHour(now = Date.now()) {
    const last = now - (now % MINUTE_MS);
    const first = last - (SHOWN - 1) * MINUTE_MS;
    for (const minute of this.#counts.keys()) {
      if (minute < first) this.#counts.delete(minute);
    }
    return Array.from({ length: SHOWN }, (_, at) => {
      const minute = first + at * MINUTE_MS;
      return { minute, ...(this.#counts.get(minute) ?? { orders: 0, failed: 0 }) };
    });
  }
}
