// The mood board: pictures, ads and descriptions as examples of the results, each with a weight.
import { pathOf, call, thumbnailOf } from "./api.js";
import { button, byId, clear, make } from "./elements.js";
import { decoded, encoded } from "./pictures.js";
import * as state from "./state.js";
import { short, t } from "./words.js";

const assets = new Map();

// Show the examples; title and picture of an ad are fetched once.
export function showBoard() {
  const examples = state.board();
  byId("board").hidden = examples.length === 0;
  clear(byId("examples"), examples.map((example, at) => chip(example, at)));
}

function chip(example, at) {
  const name = make("span", { class: "name", dir: "auto" }, nameOf(example));
  const place = make("span", { class: "thumb" });
  picture(example, place, name);
  const shown = make("output", {}, signed(example.weight));
  const slider = make("input", { type: "range", min: "-2", max: "2", step: "0.25", value: String(example.weight),
    "aria-label": t("weight_of", { what: nameOf(example) }),
    oninput: () => { shown.value = signed(Number(slider.value)); },
    onchange: () => setWeight(at, Number(slider.value)) });
  return make("li", { class: example.weight < 0 ? "example unlike" : "example" }, place,
    make("span", { class: "about" }, name, make("span", { class: "weight" }, slider, shown)),
    button("×", () => state.change((_, all) => all.splice(at, 1)),
      { class: "plain remove", "aria-label": t("remove", { what: nameOf(example) }) }));
}

const signed = (weight) => `${weight < 0 ? "−" : "+"}${short(Math.abs(weight))}`;

// A weight of 0 removes the example.
const setWeight = (at, weight) =>
  state.change((_, all) => { if (weight) all[at].weight = weight; else all.splice(at, 1); });

function nameOf({ kind, value }) {
  if (kind === "text") return `“${value}”`;
  return kind === "picture" ? t("your_picture") : (assets.get(value)?.asset.title || value);
}

async function picture({ kind, value }, place, name) {
  if (kind === "text") return place.append("Aa");
  if (kind === "picture") return place.append(make("img", { src: decoded(value).url, alt: "" }));
  if (!assets.has(value)) assets.set(value, await call(pathOf(value)).catch(() => null));
  const stored = assets.get(value);
  if (stored?.picture) place.append(make("img", { src: thumbnailOf(value, stored.picture), alt: "" }));
  name.textContent = nameOf({ kind, value });
}

const announce = (message) => dispatchEvent(new CustomEvent("announced", { detail: message }));

function add(kind, value, weight = 1) {
  if (!state.addExample({ kind, value, weight })) announce(t("board_full", { count: state.MAX_EXAMPLES }));
}

export const like = (id) => add("id", id);
export const unlike = (id) => add("id", id, -1);

// Add a picture that was dropped, pasted or chosen.
export async function addPicture(file) {
  if (!file) return;
  const value = await encoded(file).catch(() => null);
  if (value) add("picture", value);
  else announce(t("picture_refused", { what: file.name || t("your_picture") }));
}

byId("board-words").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("board-text");
  if (field.value.trim()) add("text", field.value.trim());
  field.value = "";
});
byId("board-clear").addEventListener("click", () => state.change((_, all) => all.splice(0)));
byId("share").addEventListener("click", async ({ target }) => {
  await navigator.clipboard.writeText(location.href);
  target.textContent = t("shared");
  setTimeout(() => (target.textContent = t("share")), 2000);
});
