// Asks the services. What they refuse comes back as the problem document they answer (RFC 9457).

/** How long any one service may take to answer. */
const PATIENCE_MS = 20_000;

/** Why something was not answered as hoped. */
export class Problem extends Error {
  constructor(document, status) {
    super(document.detail ?? document.title ?? `The answer was ${status}.`);
    this.document = document;
    this.status = status;
  }
}

/** What views answers to GET. */
export async function get(path, signal = null) {
  const timeout = AbortSignal.timeout(PATIENCE_MS);
  const response = await reached(path, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  return (await answer(response)).document;
}

/**
 * Posts to the first of these services that answers at all: `{url, status, document}`.
 * The body names the id of what it makes, so that nothing comes twice if it reaches two of them. With a `traceparent` it is
 * part of that trace.
 */
export async function postToFirst(urls, path, body, traceparent = null) {
  for (const url of urls) {
    try {
      const headers = { "content-type": "application/json", ...(traceparent && { traceparent }) };
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const response = await fetch(url + path, { method: "POST", headers, body, signal });
      return { url, ...(await answer(response)) };
    } catch (error) {
      if (error instanceof Problem) throw error;
    }
  }
  const asked = urls.length ? `Nobody answers at ${urls.join(" or ")}.` : "This page was not told where to send it.";
  throw new Problem({ title: "Not reached", detail: asked }, 0);
}

async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (options.signal.aborted && error.name === "AbortError") throw error;
    throw new Problem({ title: "Not reached", detail: "The views service does not answer." }, 0);
  }
}

async function answer(response) {
  const text = await response.text().catch(() => "");
  const document = read(text);
  if (!response.ok) throw new Problem(document ?? { title: response.statusText, status: response.status }, response.status);
  return { status: response.status, document };
}

function read(text) {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

/** JSON whose integers keep all their digits: those too large for a number become big integers. */
export function parse(text) {
  return JSON.parse(text, (key, value, context) => {
    const isInexact = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
    return isInexact && /^-?\d+$/.test(context?.source ?? "") ? BigInt(context.source) : value;
  });
}

/** The query of an address, without what is empty. */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
