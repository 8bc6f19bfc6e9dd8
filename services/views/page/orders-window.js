// The orders that are shown: a window of at most so many onto all there are, newest first.

import { get, query } from "./api.js";

/** The most orders that are held, and so the most rows there are. */
const KEPT = 500;

/** How many are held while they come and nobody scrolls: each row has its price. */
const KEPT_AT_TOP = 150;

const PAGE = 50;

/** Beyond this nobody wants to know how many have come meanwhile. */
const UNSEEN_COUNTED = 9_999;

export class OrdersWindow {
  /** Newest first. */
  orders = [];
  #known = new Map();
  /** Query parameters that name the orders behind the last one; null if there are none. */
  #older = null;
  /** What is to be done about what the feed told while an answer was on its way, which may be older than that. */
  #meanwhile = null;
  #loads = 0;
  /** Ids of orders that came while somebody looked at older ones. */
  #unseen = new Set();
  filter = { state: "", customer: "", product: "" };
  /** Whether new orders go to the top of the window; not while somebody looks at older ones. */
  follows = true;
  /** Whether newer orders were let go to make room for older ones. */
  isCut = false;

  get hasOlder() {
    return this.#older !== null;
  }

  get unseen() {
    return this.#unseen.size;
  }

  find(id) {
    return this.#known.get(id);
  }

  /** Forgets all, and takes the newest. */
  async load() {
    return this.#fetch({}, () => {
      this.orders = [];
      this.#known.clear();
      this.#unseen.clear();
      this.isCut = false;
    });
  }

  /** Takes the next ones behind the last, and lets go as many of the first as there are too many. Returns how many went. */
  async loadOlder() {
    if (this.#older === null || this.#meanwhile) return 0;
    let gone = 0;
    await this.#fetch(this.#older, () => {}, () => {
      gone = Math.max(0, this.orders.length - KEPT);
      for (const order of this.orders.splice(0, gone)) this.#known.delete(order.id);
      this.isCut ||= gone > 0;
    });
    return gone;
  }

  async #fetch(place, before, after = () => {}) {
    const load = ++this.#loads;
    this.#meanwhile = [];
    try {
      const answer = await get(`/v1/orders${query({ ...this.filter, limit: PAGE, ...place })}`);
      if (load !== this.#loads) return;
      before();
      for (const order of answer.orders) this.#put(order, true);
      this.#older = answer.next ? { after: answer.next } : null;
      after();
    } finally {
      if (load === this.#loads) this.#catchUp();
    }
  }

  #catchUp() {
    const meanwhile = this.#meanwhile;
    this.#meanwhile = null;
    for (const take of meanwhile) take();
  }

  /** Takes an order as the feed tells it. */
  apply(order) {
    if (this.#meanwhile) {
      this.#meanwhile.push(() => this.apply(order));
      return;
    }
    const known = this.#known.get(order.id);
    if (known) {
      if (order.version >= known.version) this.#replace(order);
    } else if (this.matches(order)) {
      this.#admit(order);
    }
  }

  /** Whether an order passes the filter. */
  matches(order) {
    const { state, customer, product } = this.filter;
    const isWanted = (wanted, value) => wanted === "" || wanted === String(value);
    // A number may be written in several ways: "007" is customer 7.
    const isOfCustomer = customer === "" || Number(customer) === Number(order.customerId);
    return isWanted(state, order.state) && isOfCustomer && isWanted(product, order.product);
  }

  /** Gives all orders of a customer the name and level that it has now. */
  rename(customer) {
    this.#meanwhile?.push(() => this.rename(customer));
    this.orders.forEach((order, at) => {
      if (order.customerId === customer.id) this.#set(at, { ...order, customer });
    });
  }

  #replace(order) {
    const at = this.orders.findIndex(({ id }) => id === order.id);
    if (this.matches(order)) {
      this.#set(at, order);
    } else {
      this.orders.splice(at, 1);
      this.#known.delete(order.id);
    }
  }

  #set(at, order) {
    this.orders[at] = order;
    this.#known.set(order.id, order);
  }

  #admit(order) {
    const isNewest = this.orders.length === 0 || precedes(order, this.orders[0]);
    if (isNewest && (!this.follows || this.isCut)) {
      if (this.#unseen.size < UNSEEN_COUNTED) this.#unseen.add(order.id);
      return;
    }
    this.#put(order, false);
    if (this.orders.length > (this.follows ? KEPT_AT_TOP : KEPT)) this.#letGo();
  }

  /** Lets go of the oldest ones. No cursor leads to them; the time of the last one does, and what comes twice is known. */
  #letGo() {
    for (const { id } of this.orders.splice(KEPT_AT_TOP)) this.#known.delete(id);
    this.#older = { to: new Date(moment(this.orders.at(-1)) + 1).toISOString() };
  }

  /** Puts an order in its place, if that is in the window or `anywhere`. */
  #put(order, anywhere) {
    if (this.#known.has(order.id)) return;
    let at = this.orders.length;
    while (at > 0 && precedes(order, this.orders[at - 1])) at -= 1;
    if (at === this.orders.length && this.#older !== null && !anywhere) return;
    this.orders.splice(at, 0, order);
    this.#known.set(order.id, order);
  }
}

/** Whether one order is shown above another. */
function precedes(one, other) {
  const [left, right] = [moment(one), moment(other)];
  return left === right ? one.id > other.id : left > right;
}

/** Times are compared again and again, and read once. */
const moments = new WeakMap();

function moment(order) {
  if (!moments.has(order)) moments.set(order, Date.parse(order.createdAt) || 0);
  return moments.get(order);
}
