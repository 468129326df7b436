// The search page: when the address changes, run its search and show the results.
import { search } from "./api.js";
import { refreshAsset, showAsset } from "./asset.js";
import { addPicture, showBoard } from "./board.js";
import { card } from "./cards.js";
import { button, byId, clear, debounced, make } from "./elements.js";
import { watchResults } from "./feedback.js";
import { clearAll, count, showState } from "./filters.js";
import { loadSession } from "./session.js";
import * as state from "./state.js";
import "./suggest.js";
import { showTuning } from "./tune.js";
import { refreshExplanation, setAnswer } from "./why.js";
import { noteText, number, switchLanguage, t, translate } from "./words.js";

const PAGE_SIZE = 24;
const box = byId("q");
const hits = byId("hits");
let running = null;
let shownSearch = null;
let shownCandidates = null;
let answer = null;
let ranks = new Map();
let seen = new Set();
let divided = false;

const isFusion = (name) => name.startsWith("weight.") || name === "rank_constant" || name === "fusion";

// The search as text, with and without the parameters of fusion.
function fingerprints() {
  const all = [...state.searchParameters(), ...state.pictures().map(({ value, weight }) => [value, weight])].map(String);
  return [all.join("\n"), all.filter((one) => !isFusion(one.split(",")[0])).join("\n")];
}

async function run({ force = false } = {}) {
  showControls();
  const [whole, candidates] = fingerprints();
  if (whole === shownSearch && !force) return;
  const fusedAgain = candidates === shownCandidates && answer !== null && !force;
  [shownSearch, shownCandidates] = [whole, candidates];
  const found = await request({ reuse: fusedAgain ? answer.token : null });
  if (found) show(found, fusedAgain);
}

async function request(additional) {
  running?.abort();
  const mine = (running = new AbortController());
  hits.setAttribute("aria-busy", "true");
  try {
    return await search({ size: PAGE_SIZE, highlight: true, ...additional }, { signal: mine.signal });
  } catch (failure) {
    if (failure.name !== "AbortError") showFailure(failure);
    return null;
  } finally {
    if (running === mine) hits.removeAttribute("aria-busy");
  }
}

function show(found, fusedAgain) {
  answer = found;
  if (!fusedAgain) ranks = new Map(found.hits.map((hit) => [hit.id, hit.rank]));
  seen = new Set(found.hits.map((hit) => hit.id));
  // Where nothing matches, the notice says what the hits are.
  divided = found.totals.matched === 0;
  clear(hits, found.hits.flatMap((hit) => withDivider(hit, card(hit, fusedAgain ? movement(hit) : null))));
  showHead();
  showTuning(found, fusedAgain ? moved(found) : null);
  setAnswer(found);
  watchResults(found, PAGE_SIZE);
  refreshExplanation();
  if (!fusedAgain) count(found.token).catch(() => {});
}

// The card, below a divider when it is the first that is only related.
function withDivider(hit, shown) {
  if (divided || hit.matched) return [shown];
  divided = true;
  return [make("li", { class: "divider" }, make("h2", {}, t("related"))), shown];
}

// How far a hit has moved since the sliders were moved.
function movement({ id, rank }) {
  const before = ranks.get(id);
  if (before === rank) return null;
  const up = before === undefined || before > rank;
  const by = before === undefined ? "" : Math.abs(before - rank);
  const label = before === undefined ? t("newcomer") : t(up ? "moved_up" : "moved_down", { count: by });
  return make("span", { class: `moved ${up ? "up" : "down"}`, title: label, role: "img", "aria-label": label },
    `${before === undefined ? "★" : up ? "▲" : "▼"}${by}`);
}

const moved = (found) => ({
  count: found.hits.filter(({ id, rank }) => ranks.get(id) !== rank).length,
  all: found.hits.length,
});

function showHead() {
  const nothing = answer.hits.length === 0;
  const wanted = state.value("q") || state.board().length || state.values("filter").length;
  byId("heading").textContent = nothing ? t("nothing") : wanted ? howMany() : t("newest");
  byId("took").textContent = t("took", { ms: number(answer.took_ms, 1) });
  byId("message").textContent = nothing ? t("nothing_hint") : "";
  byId("no-match").hidden = nothing || answer.good_match;
  clear(byId("notes"), notes(answer).map((text) => make("li", {}, text)));
  clear(byId("meant"), answer.did_you_mean.length > 0 && [`${t("meant")} `, answer.did_you_mean.map((query) =>
    button(query, () => searchFor(query), { class: "plain", dir: "auto" }))].flat());
  clear(byId("rescue"), nothing && state.values("filter").length > 0 && button(t("clear_filters"), clearAll));
  showEnd();
  document.title = state.value("q") ? `${state.value("q")} – ${t("title")}` : t("title");
}

// How many ads match; of a search by filters alone, how many there are.
function howMany() {
  const asked = state.value("q") || state.board().length;
  const { matched } = answer.totals;
  if (matched === 1) return t(asked ? "match" : "result");
  return matched ? t(asked ? "matches" : "results", { count: number(matched) }) : t("no_match");
}

// The notes as texts; a search without a good match has a place of its own on the page.
const notes = ({ note_codes: codes, notes: texts }) =>
  codes.flatMap((note, at) => (note.code === "no_good_match" ? [] : [noteText(note, texts[at])]));

function showEnd() {
  byId("more").hidden = answer.cursor === null;
  byId("end").hidden = answer.cursor !== null || seen.size <= PAGE_SIZE;
}

function showFailure(failure) {
  // Allow the same search again.
  shownSearch = null;
  byId("heading").textContent = t("failed");
  byId("message").textContent = failure.message;
  for (const id of ["took", "notes", "meant"]) clear(byId(id));
  for (const id of ["no-match", "more", "end"]) byId(id).hidden = true;
  clear(hits);
  clear(byId("rescue"), button(t("retry"), () => run({ force: true })));
}

// Append the next page. Hits that are shown already are skipped: they may repeat when the index
// has changed.
async function more() {
  if (!answer?.cursor || hits.getAttribute("aria-busy")) return;
  const found = await request({ cursor: answer.cursor });
  if (!found) return;
  answer = { ...answer, cursor: found.cursor };
  const fresh = found.hits.filter((hit) => !seen.has(hit.id));
  for (const hit of fresh) seen.add(hit.id);
  hits.append(...fresh.flatMap((hit) => withDivider(hit, card(hit))));
  showEnd();
  // The button may still be visible; the observer only reports changes.
  if (isNear(byId("more"))) more();
}

const isNear = (element) => !element.hidden && element.getBoundingClientRect().top < innerHeight + 800;

function searchFor(query) {
  box.value = query;
  state.change((parameters) => parameters.set("q", query));
}

function showControls() {
  if (document.activeElement !== box) box.value = state.value("q");
  byId("sort").value = state.value("sort");
  byId("mode").value = state.value("mode");
  showBoard();
  showState();
  showAsset();
}

// Results update while the user types.
const draft = () => state.change((parameters) => parameters.set("q", box.value), { draft: true });
const typed = debounced(draft, 20);

box.addEventListener("input", typed);
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  draft();
  state.endDraft();
});
for (const name of ["sort", "mode"])
  byId(name).addEventListener("change", ({ target }) => state.change((p) => p.set(name, target.value)));
byId("filters-open").addEventListener("click", ({ currentTarget }) => {
  const open = document.body.classList.toggle("with-filters");
  currentTarget.setAttribute("aria-expanded", String(open));
});

addEventListener("announced", ({ detail }) => (byId("message").textContent = detail));
byId("picture").addEventListener("change", ({ target }) => {
  addPicture(target.files[0]);
  target.value = "";
});
document.addEventListener("paste", (event) => addPicture(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  if (event.dataTransfer.types.includes("Files")) document.body.classList.add("over");
});
for (const end of ["dragleave", "drop"])
  document.addEventListener(end, (event) => {
    if (end === "drop" || event.relatedTarget === null) document.body.classList.remove("over");
  });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  addPicture(event.dataTransfer.files[0]);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
  event.preventDefault();
  box.select();
});
byId("more").addEventListener("click", more);
new IntersectionObserver(([entry]) => { if (entry.isIntersecting) more(); }, { rootMargin: "800px" }).observe(byId("more"));
byId("language").addEventListener("click", switchLanguage);
addEventListener("index-changed", async ({ detail }) => {
  await run({ force: true });
  if (detail) byId("message").textContent = detail;
  if (state.value("asset")) refreshAsset();
});

translate();
box.value = state.value("q");
state.follow(run);
run();
loadSession();
