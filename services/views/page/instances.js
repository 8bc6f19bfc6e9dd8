// Who runs: the groups of the services with their instances, the partitions of each, and how far behind they are.

import { connection } from "./feed.js";
import { drawn } from "./drawing.js";
import { element, keyedList, say } from "./elements.js";
import { model } from "./model.js";
import { count, counted } from "./words.js";

export function instances() {
  const list = keyedList(document.getElementById("groups"), ({ group }) => group, makeGroup, (card, group) => card.update(group));
  const empty = document.getElementById("groups-empty");
  const summary = document.getElementById("groups-summary");
  drawn(["cluster", "connection"], () => {
    const groups = [...(model.cluster?.groups ?? [])].sort((one, other) => (one.group < other.group ? -1 : 1));
    list(groups);
    empty.hidden = groups.length > 0;
    say(empty, connection.broker ? `The broker is away: ${connection.broker}` : "Waiting for the first status…");
    const members = groups.reduce((sum, group) => sum + instancesOf(group.members).length, 0);
    const lag = groups.reduce((sum, group) => sum + (group.lag ?? 0), 0);
    say(summary, groups.length ? `${counted(groups.length, "group")}, ${counted(members, "instance")}, ${counted(lag, "record")} behind` : "");
  });
}

/** A card whose parts are changed in place. */
function makeGroup({ group }) {
  const [state, lag] = [element("span", { class: "chip-state" }), element("span", { class: "lag" })];
  const members = element("ul", { class: "members" });
  const rows = element("tbody");
  const card = element("article", { class: "card group", "data-group": group },
    element("header", {}, element("h3", {}, group), state, lag),
    members,
    element("details", {}, element("summary", {}, "Partitions"),
      element("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": `Partitions of ${group}` },
        element("table", {}, head(), rows))));
  const listMembers = keyedList(members, ({ name }) => name, makeMember, updateMember);
  const listRows = keyedList(rows, ({ topic, partition }) => `${topic}/${partition}`, makePartition, updatePartition);
  card.update = (told) => {
    say(state, told.members.length ? told.state.toLowerCase() : "nobody runs it");
    state.dataset.state = told.members.length ? told.state.toLowerCase() : "down";
    say(lag, behind(told));
    lag.classList.toggle("behind", told.lag > 0);
    listMembers(instancesOf(told.members));
    listRows(told.partitions);
  };
  return card;
}

/** How far a group is behind. A sink does not tell the broker, and who has read nothing yet has nothing to tell. */
function behind({ group, lag }) {
  if (lag === null) return group.endsWith("-sink") ? "keeps its own positions" : "has read nothing yet";
  return lag > 0 ? `${counted(lag, "record")} behind` : "up to date";
}

/** Threads of one instance bear its name. */
function instancesOf(members) {
  const partitions = new Map();
  for (const member of members) partitions.set(member.name, (partitions.get(member.name) ?? 0) + member.partitions);
  return [...partitions].sort().map(([name, number]) => ({ name, partitions: number }));
}

function head() {
  const names = ["Partition", "Position", "End", "Lag", "Instance"];
  return element("thead", {}, element("tr", {}, names.map((name) => element("th", { scope: "col" }, name))));
}

function makeMember({ name }) {
  return element("li", {}, element("span", { class: "member" }, name), element("span", { class: "muted" }));
}

function updateMember(row, { partitions }) {
  say(row.lastElementChild, counted(partitions, "partition"));
}

function makePartition({ topic, partition }) {
  const place = `#/topics/${encodeURIComponent(topic)}/${partition}`;
  return element("tr", {}, element("td", {}, element("a", { href: place }, `${topic}/${partition}`)),
    element("td", { class: "number" }), element("td", { class: "number" }), element("td", { class: "number" }), element("td"));
}

function updatePartition(row, { position, end, lag, member }) {
  const known = (number) => (number === null || number === undefined ? "–" : count(number));
  [known(position), known(end), known(lag), member ?? "nobody"].forEach((text, at) => say(row.children[at + 1], text));
}
