// The road of a search: the address changes, the service is asked, the results are shown.
import { search } from "./api.js";
import { showAsset, showAssetAnew } from "./asset.js";
import { showBoard, takePicture } from "./board.js";
import { card } from "./cards.js";
import { button, byId, clear, make, settled } from "./elements.js";
import { lookedAt } from "./feedback.js";
import { clearAll, count, showState } from "./filters.js";
import { learnSession } from "./session.js";
import * as state from "./state.js";
import "./suggest.js";
import { showTuning } from "./tune.js";
import { explainAgain, speakOf } from "./why.js";
import { noteText, number, t, translate, turn } from "./words.js";

const PAGE = 24;
const box = byId("q");
const hits = byId("hits");
let running = null;
let asked = null;
let question = null;
let answer = null;
let ranks = new Map();
let seen = new Set();

const FUSION = (name) => name.startsWith("weight.") || name === "rank_constant" || name === "fusion";

// All of the search, and all of it but how its candidates are fused.
function described() {
  const all = [...state.asked(), ...state.pictures().map(({ value, weight }) => [value, weight])].map(String);
  return [all.join("\n"), all.filter((one) => !FUSION(one.split(",")[0])).join("\n")];
}

async function run({ force = false } = {}) {
  showControls();
  const [whole, part] = described();
  if (whole === asked && !force) return;
  const again = part === question && answer !== null && !force;
  [asked, question] = [whole, part];
  const found = await ask({ reuse: again ? answer.token : null });
  if (found) show(found, again);
}

async function ask(further) {
  running?.abort();
  const mine = (running = new AbortController());
  hits.setAttribute("aria-busy", "true");
  try {
    return await search({ size: PAGE, highlight: true, ...further }, { signal: mine.signal });
  } catch (failure) {
    if (failure.name !== "AbortError") showFailure(failure);
    return null;
  } finally {
    if (running === mine) hits.removeAttribute("aria-busy");
  }
}

function show(found, again) {
  answer = found;
  if (!again) ranks = new Map(found.hits.map((hit) => [hit.id, hit.rank]));
  seen = new Set(found.hits.map((hit) => hit.id));
  clear(hits, found.hits.map((hit) => card(hit, again ? movement(hit) : null)));
  showHead();
  showTuning(found, again ? moved(found) : null);
  speakOf(found);
  lookedAt(found, PAGE);
  explainAgain();
  if (!again) count(found.token).catch(() => {});
}

// Where the hit stood before the sliders were moved.
function movement({ id, rank }) {
  const before = ranks.get(id);
  if (before === rank) return null;
  const up = before === undefined || before > rank;
  const by = before === undefined ? "" : Math.abs(before - rank);
  const said = before === undefined ? t("newcomer") : t(up ? "moved_up" : "moved_down", { count: by });
  return make("span", { class: `moved ${up ? "up" : "down"}`, title: said, role: "img", "aria-label": said },
    `${before === undefined ? "★" : up ? "▲" : "▼"}${by}`);
}

const moved = (found) => ({
  count: found.hits.filter(({ id, rank }) => ranks.get(id) !== rank).length,
  all: found.hits.length,
});

function showHead() {
  const nothing = answer.hits.length === 0;
  const wanted = state.value("q") || state.board().length || state.values("filter").length;
  const found = answer.candidates === 1 ? t("result") : t("results", { count: number(answer.candidates) });
  byId("heading").textContent = nothing ? t("nothing") : wanted ? found : t("newest");
  byId("took").textContent = t("took", { ms: number(answer.took_ms, 1) });
  byId("said").textContent = nothing ? t("nothing_hint") : "";
  byId("no-match").hidden = nothing || answer.good_match;
  clear(byId("notes"), notes(answer).map((text) => make("li", {}, text)));
  clear(byId("meant"), answer.did_you_mean.length > 0 && [`${t("meant")} `, answer.did_you_mean.map((query) =>
    button(query, () => look(query), { class: "plain", dir: "auto" }))].flat());
  clear(byId("rescue"), nothing && state.values("filter").length > 0 && button(t("clear_filters"), clearAll));
  showEnd();
  document.title = state.value("q") ? `${state.value("q")} – ${t("title")}` : t("title");
}

// The notes as texts; a search without a good match has a place of its own on the page.
const notes = ({ note_codes: codes, notes: texts }) =>
  codes.flatMap((note, at) => (note.code === "no_good_match" ? [] : [noteText(note, texts[at])]));

function showEnd() {
  byId("more").hidden = answer.cursor === null;
  byId("end").hidden = answer.cursor !== null || seen.size <= PAGE;
}

function showFailure(failure) {
  // The same search may be asked again.
  asked = null;
  byId("heading").textContent = t("failed");
  byId("said").textContent = failure.message;
  for (const id of ["took", "notes", "meant"]) clear(byId(id));
  for (const id of ["no-match", "more", "end"]) byId(id).hidden = true;
  clear(hits);
  clear(byId("rescue"), button(t("retry"), () => run({ force: true })));
}

// The page after those on show. What is there already is not shown twice, should the index have
// changed in between.
async function more() {
  if (!answer?.cursor || hits.getAttribute("aria-busy")) return;
  const found = await ask({ cursor: answer.cursor });
  if (!found) return;
  answer = { ...answer, cursor: found.cursor };
  const fresh = found.hits.filter((hit) => !seen.has(hit.id));
  for (const hit of fresh) seen.add(hit.id);
  hits.append(...fresh.map((hit) => card(hit)));
  showEnd();
  // The end may still be in sight: then it comes into it no more.
  if (near(byId("more"))) more();
}

const near = (element) => !element.hidden && element.getBoundingClientRect().top < innerHeight + 800;

function look(query) {
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

// While somebody types, the results follow.
const draft = () => state.change((parameters) => parameters.set("q", box.value), { draft: true });
const typed = settled(draft, 20);

box.addEventListener("input", typed);
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  draft();
  state.settle();
});
for (const name of ["sort", "mode"])
  byId(name).addEventListener("change", ({ target }) => state.change((p) => p.set(name, target.value)));
byId("filters-open").addEventListener("click", ({ currentTarget }) => {
  const open = document.body.classList.toggle("with-filters");
  currentTarget.setAttribute("aria-expanded", String(open));
});

addEventListener("said", ({ detail }) => (byId("said").textContent = detail));
byId("picture").addEventListener("change", ({ target }) => {
  takePicture(target.files[0]);
  target.value = "";
});
document.addEventListener("paste", (event) => takePicture(event.clipboardData.files[0]));
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
  takePicture(event.dataTransfer.files[0]);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
  event.preventDefault();
  box.select();
});
byId("more").addEventListener("click", more);
new IntersectionObserver(([entry]) => { if (entry.isIntersecting) more(); }, { rootMargin: "800px" }).observe(byId("more"));
byId("language").addEventListener("click", turn);
addEventListener("index-changed", async ({ detail }) => {
  await run({ force: true });
  if (detail) byId("said").textContent = detail;
  if (state.value("asset")) showAssetAnew();
});

translate();
box.value = state.value("q");
state.follow(run);
run();
learnSession();
