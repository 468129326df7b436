// Completions of the search box, also for incomplete Korean syllables. A list box in the combobox
// pattern of WAI-ARIA: arrow keys move, Enter accepts, Escape closes.
import { call } from "./api.js";
import { byId, clear, debounced, make } from "./elements.js";
import { number } from "./words.js";

const box = byId("q");
const list = byId("completions");
let at = -1;

const options = () => [...list.children];
const close = () => show([]);

function show(completions) {
  at = -1;
  clear(list, completions.map(({ text, assets }, index) =>
    make("li", { role: "option", id: `completion-${index}`, "aria-selected": "false",
      onpointerdown: (event) => { event.preventDefault(); accept(text); } },
      make("span", { dir: "auto" }, text), make("small", {}, number(assets)))));
  list.hidden = completions.length === 0;
  box.setAttribute("aria-expanded", String(!list.hidden));
  box.removeAttribute("aria-activedescendant");
}

function choose(next) {
  const all = options();
  at = (next + all.length + 1) % (all.length + 1);
  all.forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
  if (at < all.length) box.setAttribute("aria-activedescendant", all[at].id);
  else box.removeAttribute("aria-activedescendant");
  all[at]?.scrollIntoView({ block: "nearest" });
}

function accept(text) {
  box.value = text;
  close();
  box.form.requestSubmit();
}

const complete = debounced(async (typed) => {
  if (box.value !== typed || !typed.trim()) return close();
  const found = await call(`/v1/suggest?${new URLSearchParams({ q: typed, size: 8 })}`).catch(() => null);
  if (box.value === typed && document.activeElement === box)
    show((found?.completions ?? []).filter(({ text }) => text !== typed));
}, 90);

box.addEventListener("input", () => complete(box.value));
box.addEventListener("blur", close);
box.form.addEventListener("submit", close);
box.addEventListener("keydown", (event) => {
  // While a syllable is being composed, keys go to the input method.
  if (event.isComposing || list.hidden) return;
  if (event.key === "ArrowDown") choose(at < 0 ? 0 : at + 1);
  else if (event.key === "ArrowUp") choose(at < 0 ? options().length - 1 : at - 1);
  else if (event.key === "Escape") close();
  else if (event.key === "Enter" && options()[at]) accept(options()[at].firstChild.textContent);
  else return;
  event.preventDefault();
});
