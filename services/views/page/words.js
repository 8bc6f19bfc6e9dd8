// How numbers, amounts and times are written on the page.

const integers = new Intl.NumberFormat("en");
const currencies = new Map();

/** 12,345 */
export function count(number) {
  return integers.format(number);
}

/** "1 order", "2 orders" */
export function counted(number, singular, plural = `${singular}s`) {
  return `${count(number)} ${number === 1 ? singular : plural}`;
}

/** $9.99, or the code behind the number if it is no currency. */
export function money(amount, currency) {
  return format(currency)?.format(amount) ?? `${amount} ${currency}`;
}

/** How many decimals an amount has. */
export function decimals(currency) {
  return format(currency)?.resolvedOptions().maximumFractionDigits ?? 2;
}

function format(currency) {
  if (!currencies.has(currency)) currencies.set(currency, formatOf(currency));
  return currencies.get(currency);
}

function formatOf(currency) {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency });
  } catch {
    return null;
  }
}

/** What is left to pay of an order, as the text of a decimal; null if nothing is. */
export function due(order) {
  const digits = decimals(order.currency);
  const unit = 10 ** digits;
  const minor = Math.round(Number(order.price) * unit) * order.quantity - Math.round(Number(order.paid) * unit);
  return minor > 0 ? (minor / unit).toFixed(digits) : null;
}

/** 12:00:03 here, of milliseconds or RFC 3339; the day before it if it is another than today. */
export function clock(time, withMilliseconds = false) {
  const at = new Date(time);
  if (time === null || time === "" || Number.isNaN(at.getTime())) return "–";
  const two = (number) => String(number).padStart(2, "0");
  const milliseconds = withMilliseconds ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : "";
  const text = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}${milliseconds}`;
  return at.toDateString() === new Date().toDateString() ? text : `${day(at)} ${text}`;
}

function day(at) {
  const year = at.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return at.toLocaleDateString("en", { day: "numeric", month: "short", year });
}

/** How long ago: 3 s, 4 min, 5 h, 6 d. */
export function age(since, now = Date.now()) {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  if (Number.isNaN(seconds)) return "–";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${count(Math.floor(seconds / 86400))} d`;
}

/** A span of time: 12 ms, 1.2 s, 3 min 4 s. */
export function span(milliseconds) {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return age(Date.now() - milliseconds);
}

/** Bytes as a size. */
export function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`;
}
