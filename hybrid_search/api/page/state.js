// The search is what the address says: the parameters of the API, the asset that is open, and in
// the fragment the pictures that are searched by. Nothing else is remembered.
import { decoded } from "./pictures.js";

export const MOST_EXAMPLES = 20;
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
  examples = examples.slice(0, MOST_EXAMPLES);
}

function nameOf({ kind, weight }) {
  const name = (weight < 0 ? "unlike" : "like") + (kind === "text" ? "_text" : "");
  return Math.abs(weight) === 1 ? name : `${name}.${Math.abs(weight)}`;
}

// Parameters for the API; pictures travel beside them.
export function asked() {
  const all = new URLSearchParams();
  for (const [name, value] of parameters) if (!OWN.has(name)) all.append(name, value);
  for (const one of examples) if (one.kind !== "picture") all.append(nameOf(one), one.value);
  return all;
}

function address() {
  const search = asked();
  for (const name of OWN) if (parameters.get(name)) search.set(name, parameters.get(name));
  const fragment = new URLSearchParams();
  for (const { kind, value, weight } of examples)
    if (kind === "picture") fragment.append("picture", weight === 1 ? value : `${value}~${weight}`);
  const hash = fragment.toString();
  return location.pathname + (search.size ? `?${search}` : "") + (hash ? `#${hash}` : "");
}

// Change the search. It is a step that the browser's back button undoes, unless `push` says no;
// of drafts that follow each other, as while typing, only the first is.
export function change(how, { push = true, draft = false } = {}) {
  how(parameters, examples);
  for (const name of [...parameters.keys()]) if (!parameters.get(name)) parameters.delete(name);
  const step = push && !(draft && drafting) && address() !== current();
  history[step ? "pushState" : "replaceState"](null, "", address());
  drafting = draft && (step || drafting);
  for (const listener of listeners) listener();
}

const current = () => location.pathname + location.search + location.hash;

// What is drafted is meant.
export const settle = () => { drafting = false; };

export const value = (name) => parameters.get(name) ?? "";
export const values = (name) => parameters.getAll(name);
export const board = () => examples;
export const pictures = () => examples.filter(({ kind }) => kind === "picture");

export function follow(listener) {
  listeners.push(listener);
}

// Add an example, or weigh one anew that is there; whether there was room.
export function addExample(example) {
  const same = (one) => one.kind === example.kind && one.value === example.value;
  const others = examples.filter((one) => !same(one));
  const room = others.length < MOST_EXAMPLES;
  if (room) change((_, all) => all.splice(0, all.length, ...others, example));
  return room;
}

read();
addEventListener("popstate", () => {
  drafting = false;
  read();
  for (const listener of listeners) listener();
});
