// The ranking sliders: the candidates are fused again while a slider moves.
import { button, byId, clear, debounced, make } from "./elements.js";
import { openSide } from "./side.js";
import * as state from "./state.js";
import { number, short, t } from "./words.js";
import { listName } from "./why.js";

const MAX_WEIGHT = 5;
const MAX_CONSTANT = 200;
const set = debounced((name, value) => state.change((parameters) => parameters.set(name, value), { push: false }), 15);
let last = null;

byId("tune").addEventListener("click", ({ currentTarget }) => {
  openSide("tune", t("tune_title"), currentTarget);
  if (last) draw();
});

// Show the lists of an answer, and how many hits moved.
export function showTuning(answer, moved) {
  const same = last && last.lists.map(({ list }) => list).join() === answer.lists.map(({ list }) => list).join();
  last = answer;
  if (byId("side").dataset.shows !== "tune") return;
  // Redrawing would replace a slider that is being moved.
  if (!same || !byId("tune-moved")) draw();
  byId("tune-moved").textContent = moved === null ? "" : t("tune_moved", {
    count: moved.count, all: moved.all, ms: number(answer.took_ms, 1) });
}

function draw() {
  const { lists, rank_constant: constant, fusion } = last;
  clear(byId("side-body"),
    make("p", { class: "faint" }, t("tune_hint")),
    lists.map(({ list, weight }) => slider(`weight.${list}`, listName(list), weight, { min: 0, max: MAX_WEIGHT, step: 0.1 })),
    slider("rank_constant", t("rank_constant"), constant, { min: 1, max: MAX_CONSTANT, step: 1 }),
    make("label", { class: "switch", title: t("tune_method_hint") },
      make("input", { type: "checkbox", id: "method", checked: fusion === "confident_rrf",
        onchange: ({ target }) => set("fusion", target.checked ? "confident_rrf" : "rrf") }),
      make("span", {}, t("tune_method"))),
    make("p", { id: "tune-moved", role: "status" }),
    make("div", { class: "row" },
      button(t("tune_reset"), reset),
      button(t("tune_copy"), ({ target }) => copySettings(target))));
}

function slider(name, label, value, range) {
  const shown = make("output", {}, short(value));
  const input = make("input", { type: "range", id: `tune-${name}`, min: String(range.min),
    max: String(Math.max(range.max, value)), step: String(range.step), value: String(value), oninput: () => {
      shown.value = short(Number(input.value));
      set(name, input.value);
    } });
  return make("div", { class: "slider" }, make("label", { htmlFor: input.id }, label), shown, input);
}

function reset() {
  state.change((parameters) => {
    for (const name of [...parameters.keys()])
      if (name.startsWith("weight.") || name === "rank_constant" || name === "fusion") parameters.delete(name);
  });
  last = null;
}

// Copy weights and method in the format of the settings file.
async function copySettings(target) {
  const lists = last.lists.map(({ list, weight }) => `\n[fusion.${list}]\nweight = ${weight}\n`);
  const head = `[fusion]\nmethod = "${last.fusion}"\nrank_constant = ${last.rank_constant}\n`;
  await navigator.clipboard.writeText(head + lists.join(""));
  target.textContent = t("shared");
}
