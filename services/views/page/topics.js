// The topic browser: what topics there are, and the records of any partition from any offset on.

import { get, isPassing, Problem, query } from "./api.js";
import { isTrue } from "./feed.js";
import { drawn } from "./drawing.js";
import { element, replace } from "./elements.js";
import { problemCard } from "./order-form.js";
import { jsonText } from "./json-text.js";
import { clock, count, counted, size } from "./words.js";

/** How many records a page of them has. */
const PAGE = 20;

const list = document.getElementById("topics-list");
const detail = document.getElementById("topic-detail");
const view = document.getElementById("topics");

let asked = 0;

/** What to ask again when what was away is back; null if it was answered. */
let unanswered = null;

drawn(["connection"], () => {
  if (isTrue()) unanswered?.();
});

function show(...children) {
  unanswered = null;
  replace(detail, children, () => detail.querySelector("h2"));
}

function showProblem(mine, error, again) {
  if (mine !== asked || !(error instanceof Problem)) return;
  show(back(), problemCard(error));
  if (isPassing(error)) unanswered = again;
}

/** Shows what the address names: all topics, `[topic, partition]` from `offset` on, or what is `before` one. */
export async function showTopics([topic, partition], place) {
  const mine = ++asked;
  view.classList.toggle("chosen", topic !== undefined);
  try {
    const { topics } = await get("/v1/topics");
    if (mine !== asked) return;
    list.replaceChildren(...topics.map((it) => topicLink(it, topic)));
    const shown = topics.find(({ name }) => name === topic);
    if (topic === undefined) return show(hint("Choose a topic to look into it."));
    if (!shown) return show(back(), hint(`There is no topic ${topic}.`));
    await showPartition(mine, shown, Number(partition ?? firstWithRecords(shown)), place);
  } catch (error) {
    showProblem(mine, error, () => showTopics([topic, partition], place));
  }
}

function hint(text) {
  return element("p", { class: "muted" }, text);
}

/** On a phone the list and what is in a topic are two screens. */
function back() {
  return element("a", { class: "back", href: "#/topics" }, "‹ All topics");
}

function topicLink({ name, records, partitions }, current) {
  return element("li", {}, element("a", { href: `#/topics/${encodeURIComponent(name)}`, "aria-current": name === current && "true" },
    element("span", { class: "topic-name" }, name),
    element("span", { class: "muted" }, `${counted(records, "record")} · ${counted(partitions.length, "partition")}`)));
}

function firstWithRecords({ partitions }) {
  return (partitions.find(({ records }) => records > 0) ?? partitions[0])?.partition ?? 0;
}

async function showPartition(mine, topic, number, { offset, before }) {
  const partition = topic.partitions.find((it) => it.partition === number);
  const heading = element("h2", { tabindex: "-1" }, topic.name);
  const tabs = element("nav", { class: "partitions", "aria-label": "Partitions" }, topic.partitions.map((it) =>
    element("a", { class: "chip", href: address(topic.name, it.partition), "aria-current": it.partition === number && "true" },
      `${it.partition} `, element("span", { class: "muted" }, count(it.records)))));
  if (!partition) return show(back(), heading, tabs, hint(`It has no partition ${number}.`));
  const read = (place) => get(`/v1/topics/${encodeURIComponent(topic.name)}/${number}${query({ ...place, limit: PAGE })}`);
  let page = await read(before === null ? { offset: offset ?? -PAGE } : { before });
  // The first record need not be at the first offset: then there is nothing before it.
  if (before !== null && page.records.length === 0) page = await read({ offset: page.first });
  if (mine !== asked) return;
  const facts = element("p", { class: "muted" },
    `first offset ${count(page.first)} · next offset ${count(page.next)} · ${counted(partition.records, "record")}`);
  const records = page.records.map((record) => recordView(record, record.offset === offset));
  show(back(), heading, tabs, facts, steps(topic.name, number, page, offset),
    records.length ? element("div", { class: "records" }, records) : hint("There is nothing from here on."));
  detail.querySelector("details[open]")?.scrollIntoView({ block: "nearest" });
}

function address(topic, partition, place = {}) {
  return `#/topics/${encodeURIComponent(topic)}/${partition}${query(place)}`;
}

/** From the beginning, older, newer, to the end, or from an offset of one's choice. */
function steps(topic, partition, { first, next, records }, offset) {
  const from = records[0]?.offset ?? Math.max(first, next);
  const behind = records.length ? records.at(-1).offset + 1 : next;
  const link = (text, to, isUseful) => element("a",
    { class: "chip", id: `step-${text.replace(/\W/g, "")}`, href: isUseful ? address(topic, partition, to) : null, "aria-disabled": !isUseful && "true" }, text);
  const input = element("input", { type: "number", name: "offset", placeholder: "offset", "aria-label": "Offset",
    value: offset !== null && offset >= 0 ? offset : null });
  const go = (event) => {
    event.preventDefault();
    if (input.value !== "") location.hash = address(topic, partition, { offset: Math.trunc(Number(input.value)) });
  };
  return element("form", { class: "steps", onsubmit: go },
    link("« first", { offset: first }, from > first),
    link("‹ older", { before: from }, from > first),
    link("newer ›", { offset: behind }, behind < next),
    link("end »", { offset: -PAGE }, behind < next),
    input, element("button", { type: "submit", class: "quiet" }, "Go"));
}

/** A record as a line; all of it when it is opened. */
function recordView(record, isOpen) {
  const { offset, timestamp, key, headers, schemaId, value, problem, bytes } = record;
  const preview = problem ?? (value === null ? "null: the key is deleted" : JSON.stringify(value, plainly));
  const rows = headers.map((header) =>
    element("div", {}, element("dt", {}, header.name), element("dd", {}, header.value)));
  return element("details", { class: problem ? "record bad" : "record", open: isOpen, "data-offset": offset },
    element("summary", {},
      element("span", { class: "offset" }, String(offset)),
      element("time", {}, clock(timestamp, true)),
      element("code", { class: "key" }, key ?? "–"),
      element("code", { class: "preview" }, preview)),
    element("div", { class: "record-whole" },
      element("p", { class: "muted" }, `${size(bytes)}, at ${clock(timestamp, true)}`,
        schemaId === null ? "" : [", written with ", element("a", { href: `#/schemas/${schemaId}` }, `schema ${schemaId}`)].flat()),
      problem ? element("p", { class: "reason" }, problem) : jsonText(value),
      rows.length ? element("h4", {}, "Headers") : null,
      rows.length ? element("dl", { class: "headers" }, rows) : null));
}

function plainly(key, value) {
  return typeof value === "bigint" ? String(value) : value;
}

/** Shows the schema of that id. */
export async function showSchema(id) {
  const mine = ++asked;
  view.classList.add("chosen");
  try {
    const { schema } = await get(`/v1/schemas/${encodeURIComponent(id)}`);
    if (mine !== asked) return;
    const goBack = element("button", { type: "button", class: "quiet", onclick: () => history.back() }, "‹ Back");
    show(goBack, element("h2", { tabindex: "-1" }, `Schema ${id}`), jsonText(schema));
    if (list.childElementCount === 0) {
      const { topics } = await get("/v1/topics");
      if (mine === asked) list.replaceChildren(...topics.map((it) => topicLink(it)));
    }
  } catch (error) {
    showProblem(mine, error, () => showSchema(id));
  }
}
