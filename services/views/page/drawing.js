// When the page is drawn: at most ten times a second, and never in between two frames. Whatever came meanwhile is drawn once.

const INTERVAL_MS = 100;

const drawers = [];
const changed = new Set();
let drawnAt = 0;
let isAsked = false;

/** Has `draw` called after any of these parts has changed. */
export function drawn(parts, draw) {
  drawers.push({ parts, draw });
}

/** Tells that parts have changed. */
export function touch(...parts) {
  for (const part of parts) changed.add(part);
  if (isAsked) return;
  isAsked = true;
  const wait = Math.max(0, drawnAt + INTERVAL_MS - performance.now());
  setTimeout(() => requestAnimationFrame(drawAll), wait);
}

function drawAll() {
  isAsked = false;
  drawnAt = performance.now();
  const parts = new Set(changed);
  changed.clear();
  for (const { parts: wanted, draw } of drawers) {
    if (!wanted.some((part) => parts.has(part))) continue;
    try {
      draw();
    } catch (error) {
      // One part that cannot be drawn does not keep the others from it.
      reportError(error);
    }
  }
}
