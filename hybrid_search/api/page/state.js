// The state of the page is the address: parameters of the API, the open asset, and in the fragment
// the pictures of the search. Nothing else is stored.
import { decoded } from "./pictures.js";

export const MAX_EXAMPLES = 20;
const OWN = new Set(["asset"]);
const KINDS = { like: ["id", 1], unlike: ["id", -1], like_text: ["text", 1], unlike_text: ["text", -1] };
const listeners = [];
let parameters = new URLSearchParams();
let examples = [];
let drafting = false;

function weight(text) {
  const value = text === undefined || text === "" ? 1 : Number(text);
  return Number.isFinite(value) && Math.abs(value) <= 10 ? value : 1;
}

function read() {
  parameters = new URLSearchParams();
  examples = [];
  for (const [name, value] of new URLSearchParams(location.search)) {
    const [what, ...behind] = name.split(".");
    if (!(what in KINDS)) parameters.append(name, value);
    else {
      const [kind, sign] = KINDS[what];
      examples.push({ kind, value, weight: sign * weight(behind.join(".")) });
    }
  }
  for (const part of new URLSearchParams(location.hash.slice(1)).getAll("picture")) {
    const [value, behind] = part.split("~");
    if (decoded(value)) examples.push({ kind: "picture", value, weight: weight(behind) });
  }
  examples = examples.slice(0, MAX_EXAMPLES);
}

function nameOf({ kind, weight }) {
  const name = (weight < 0 ? "unlike" : "like") + (kind === "text" ? "_text" : "");
  return Math.abs(weight) === 1 ? name : `${name}.${Math.abs(weight)}`;
}

// The parameters of the search for the API, without pictures.
export function searchParameters() {
  const all = new URLSearchParams();
  for (const [name, value] of parameters) if (!OWN.has(name)) all.append(name, value);
  for (const one of examples) if (one.kind !== "picture") all.append(nameOf(one), one.value);
  return all;
}

function address() {
  const search = searchParameters();
  for (const name of OWN) if (parameters.get(name)) search.set(name, parameters.get(name));
  const fragment = new URLSearchParams();
  for (const { kind, value, weight } of examples)
    if (kind === "picture") fragment.append("picture", weight === 1 ? value : `${value}~${weight}`);
  const hash = fragment.toString();
  return location.pathname + (search.size ? `?${search}` : "") + (hash ? `#${hash}` : "");
}

// Change the search. It adds an entry to the browser's history unless `push` is false; of a series
// of drafts, as while typing, only the first does.
export function change(how, { push = true, draft = false } = {}) {
  how(parameters, examples);
  for (const name of [...parameters.keys()]) if (!parameters.get(name)) parameters.delete(name);
  const step = push && !(draft && drafting) && address() !== current();
  history[step ? "pushState" : "replaceState"](null, "", address());
  drafting = draft && (step || drafting);
  for (const listener of listeners) listener();
}

const current = () => location.pathname + location.search + location.hash;

// End a series of drafts.
export const endDraft = () => { drafting = false; };

export const value = (name) => parameters.get(name) ?? "";
export const values = (name) => parameters.getAll(name);
export const board = () => examples;
export const pictures = () => examples.filter(({ kind }) => kind === "picture");

export function follow(listener) {
  listeners.push(listener);
}

// Add an example, or replace the weight of an equal one; returns whether there was room.
export function addExample(example) {
  const same = (one) => one.kind === example.kind && one.value === example.value;
  const others = examples.filter((one) => !same(one));
  const room = others.length < MAX_EXAMPLES;
  if (room) change((_, all) => all.splice(0, all.length, ...others, example));
  return room;
}

read();
addEventListener("popstate", () => {
  drafting = false;
  read();
  for (const listener of listeners) listener();
});
