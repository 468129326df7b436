// The judging page: pooled results of several search methods in random order, one at a time. Each
// grade is stored at once; a reload continues where the judge stopped.
import { call, pathOf } from "./api.js";
import { assetText, button, byId, clear, make } from "./elements.js";
import { keyName, loadSession } from "./session.js";
import { number, switchLanguage, t, translate } from "./words.js";

// An entered query is pooled from the first hits of each of these methods; pools of an experiment
// come from the service. Neither tells which method found an ad.
const METHODS = [{}, { mode: "text" }, { mode: "vector" }, { fusion: "rrf", rank_constant: 60 }, { fusion: "dbsf" }];
const DEPTH = 20;
const GRADES = [0, 1, 2, 3];
const KEPT = "hybrid_search.judge";
const details = new Map();
let queries = [];
let queryAt = 0;
let pool = [];
let given = new Map();
let at = 0;
let starts = 0;
let saving = false;

const judge = () => keyName() ?? byId("judge-name").value.trim();
const query = () => queries[queryAt].query;

// A hash of the text as sort key: a random order that is the same after a reload.
function shuffleKey(text) {
  let hash = 2166136261;
  for (const unit of text) hash = Math.imul(hash ^ unit.codePointAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  return (hash ^ (hash >>> 13)) >>> 0;
}

async function ownQuery() {
  const q = byId("judge-query").value.trim();
  if (!q) return [];
  const searches = METHODS.map((method) => call(`/v1/search?${new URLSearchParams({ q, size: DEPTH, ...method })}`));
  const found = new Map();
  for (const { hits } of await Promise.all(searches)) for (const hit of hits) found.set(hit.id, hit);
  for (const [id, hit] of found) details.set(id, hit);
  return [{ query: q, assets: [...found.keys()] }];
}

const chosenPool = () => byId("judge-pool").value;
const address = () => (chosenPool() ? { pool: chosenPool() } : { q: byId("judge-query").value.trim() });

async function start() {
  localStorage.setItem(KEPT, byId("judge-name").value);
  history.replaceState(null, "", `?${new URLSearchParams(address())}`);
  // Hidden until the grades of this judge are loaded.
  byId("pair").hidden = true;
  byId("pair").setAttribute("aria-busy", "true");
  byId("judge-current").textContent = byId("message").textContent = "";
  const mine = ++starts;
  try {
    const pooled = chosenPool() ? (await call(`/v1/pools/${encodeURIComponent(chosenPool())}`)).queries : await ownQuery();
    const graded = await loadGrades();
    // The judge has started again in the meantime, for example under another name.
    if (mine !== starts) return;
    [queries, given] = [pooled, graded];
    await open(firstUnfinished());
  } catch (failure) {
    if (mine === starts) byId("message").textContent = failure.message;
  } finally {
    if (mine === starts) byId("pair").removeAttribute("aria-busy");
  }
}

// The grades that this judge has given.
async function loadGrades() {
  const who = judge() || (await call("/v1/session")).name;
  const { judgments } = await call(`/v1/judgments?${new URLSearchParams({ judge: who })}`);
  return new Map(judgments.map((one) => [`${one.query}\n${one.asset}`, one.grade]));
}

// The first query with an ad that is not judged, or the last query.
function firstUnfinished() {
  const first = queries.findIndex((one) => one.assets.some((id) => !given.has(`${one.query}\n${id}`)));
  return first < 0 ? queries.length - 1 : first;
}

async function open(place) {
  queryAt = place;
  pool = [];
  if (queries.length > 0) {
    const order = (id) => shuffleKey(`${judge()}\n${query()}\n${id}`);
    pool = [...queries[queryAt].assets].sort((a, b) => order(a) - order(b));
  }
  at = Math.max(0, pool.findIndex((id) => grade(id) === undefined));
  if (pool.length === 0 && (chosenPool() || byId("judge-query").value.trim())) byId("message").textContent = t("judge_none");
  await show();
}

const grade = (id) => given.get(`${query()}\n${id}`);

async function load(id) {
  // An ad that was deleted after pooling is shown by its id.
  if (id && !details.has(id)) details.set(id, await call(pathOf(id)).catch(() => ({ asset: { id }, picture: null })));
  return details.get(id);
}

async function show() {
  const pair = byId("pair");
  pair.hidden = pool.length === 0;
  if (pair.hidden) return;
  const id = pool[at];
  const { asset, picture } = await load(id);
  if (id !== pool[at]) return;
  load(pool[at + 1]);
  showProgress();
  const image = picture && make("img", { alt: asset.title || id, width: picture.width, height: picture.height,
    src: `${pathOf(id, "image")}?v=${picture.digest.slice(0, 16)}` });
  clear(pair,
    make("div", { class: "shown" }, image),
    make("div", {},
      assetText("h2", asset, {}, asset.title || (picture ? "" : id)),
      assetText("p", asset, { class: "body" }, asset.body ?? ""),
      make("p", { class: "faint", dir: "auto" }, [asset.brand, ...(asset.tags ?? [])].filter(Boolean).join(" · ")),
      make("div", { class: "grades", role: "group", "aria-label": query() }, GRADES.map((one) =>
        make("button", { type: "button", "aria-pressed": String(grade(id) === one), onclick: () => give(one) },
          make("kbd", {}, String(one)), t(`grade_${one}`)))),
      make("div", { class: "row" },
        button(`← ${t("previous")}`, () => go(-1), { disabled: at + queryAt === 0 }),
        button(`${t("next")} →`, () => go(1), { disabled: at === pool.length - 1 && queryAt === queries.length - 1 }))));
}

function showProgress() {
  const done = pool.filter((id) => grade(id) !== undefined).length;
  const [all, last] = [number(pool.length), queryAt === queries.length - 1];
  byId("judge-current").hidden = !chosenPool();
  byId("judge-current").textContent = chosenPool()
    ? t("judge_query_at", { at: number(queryAt + 1), all: number(queries.length), query: query() }) : "";
  byId("message").textContent = done === pool.length && last ? t("judge_done", { count: all })
    : `${t("judge_at", { done: number(done), all })} · ${t("judge_keys")}`;
}

// Go to the next or the previous ad, of the neighbouring query if necessary.
async function go(step) {
  const place = queryAt + step;
  if (pool[at + step] !== undefined) at += step;
  else if (queries[place] !== undefined) {
    await open(place);
    if (step < 0) at = pool.length - 1;
  }
  await show();
}

// Save one grade at a time, and ignore keys pressed before the next ad is shown.
async function give(one) {
  if (saving) return;
  saving = true;
  await save(one);
  saving = false;
}

async function save(one) {
  const [id, text] = [pool[at], query()];
  const body = JSON.stringify({ query: text, asset: id, grade: one, ...(keyName() ? {} : { judge: judge() }) });
  try {
    await call("/v1/judgments", { method: "PUT", headers: { "Content-Type": "application/json" }, body });
  } catch (failure) {
    byId("message").textContent = failure.message;
    return;
  }
  given.set(`${text}\n${id}`, one);
  await go(1);
}

async function offerPools() {
  const { pools } = await call("/v1/pools").catch(() => ({ pools: [] }));
  const options = pools.map(({ name, queries: count }) => make("option", { value: name }, `${name} (${number(count)})`));
  clear(byId("judge-pool"), make("option", { value: "" }, t("judge_own")), options);
  byId("judge-pool").value = new URLSearchParams(location.search).get("pool") ?? "";
  if (byId("judge-pool").selectedIndex < 0) byId("judge-pool").value = "";
  byId("judge-pools").hidden = pools.length === 0;
  showForm();
}

function showForm() {
  byId("judge-own").hidden = chosenPool() !== "";
  byId("judge-query").required = chosenPool() === "";
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select") || event.altKey || event.ctrlKey || event.metaKey || byId("pair").hidden) return;
  if (event.key === "ArrowLeft") go(-1);
  else if (event.key === "ArrowRight") go(1);
  else if (GRADES.includes(Number(event.key)) && event.key.trim()) give(Number(event.key));
  else return;
  event.preventDefault();
});
byId("judge-pool").addEventListener("change", showForm);
byId("judge-form").addEventListener("submit", (event) => {
  event.preventDefault();
  document.activeElement.blur();
  start();
});
byId("language").addEventListener("click", switchLanguage);

async function begin() {
  byId("judge-who").hidden = keyName() !== null;
  await offerPools();
  await start();
}
addEventListener("index-changed", begin);

translate();
document.title = `${t("judge_title")} – ${t("title")}`;
byId("judge-name").value = localStorage.getItem(KEPT) ?? "";
byId("judge-query").value = new URLSearchParams(location.search).get("q") ?? "";
await loadSession();
begin();
