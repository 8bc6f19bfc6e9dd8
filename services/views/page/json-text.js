// JSON as one reads it: indented, and coloured by kind.

import { element } from "./elements.js";

/** A block with the value in it. Written here and not by `JSON.stringify`, which knows no big integers. */
export function jsonText(value) {
  const block = element("pre", { class: "json", tabindex: "0" });
  write(block, value, "");
  return block;
}

function write(block, value, indent) {
  if (Array.isArray(value)) {
    writeAll(block, value.map((item) => [null, item]), indent, "[]");
  } else if (value !== null && typeof value === "object") {
    writeAll(block, Object.entries(value), indent, "{}");
  } else {
    const text = typeof value === "string" ? JSON.stringify(value) : String(value);
    block.append(element("span", { class: `json-${value === null ? "null" : typeof value}` }, text));
  }
}

function writeAll(block, members, indent, [open, close]) {
  block.append(open);
  members.forEach(([name, value], at) => {
    block.append(`${at ? "," : ""}\n${indent}  `);
    if (name !== null) block.append(element("span", { class: "json-name" }, JSON.stringify(name)), ": ");
    write(block, value, `${indent}  `);
  });
  block.append(members.length ? `\n${indent}${close}` : close);
}
