// The judging page: candidates of several ways of searching, pooled, in random order, one at a time.
// What is judged is kept by the service at once; a reload goes on where the judge stopped.
import { call, pathOf } from "./api.js";
import { button, byId, clear, copy, make } from "./elements.js";
import { keyName, learnSession } from "./session.js";
import { number, t, translate, turn } from "./words.js";

// A query of one's own is pooled from what any of these finds among its first twenty; the pools of
// an experiment come from the service. Either is blind to which way found what.
const WAYS = [{}, { mode: "text" }, { mode: "vector" }, { fusion: "rrf", rank_constant: 60 }, { fusion: "dbsf" }];
const DEPTH = 20;
const GRADES = [0, 1, 2, 3];
const KEPT = "hybrid_search.judge";
const details = new Map();
let queries = [];
let asking = 0;
let pool = [];
let given = new Map();
let at = 0;
let begun = 0;
let saving = false;

const judge = () => keyName() ?? byId("judge-name").value.trim();
const query = () => queries[asking].query;

// A number that is the same for the same text: the order is random, and the same after a reload.
function scattered(text) {
  let hash = 2166136261;
  for (const unit of text) hash = Math.imul(hash ^ unit.codePointAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  return (hash ^ (hash >>> 13)) >>> 0;
}

async function ownQuery() {
  const q = byId("judge-query").value.trim();
  if (!q) return [];
  const asked = WAYS.map((way) => call(`/v1/search?${new URLSearchParams({ q, size: DEPTH, ...way })}`));
  const found = new Map();
  for (const { hits } of await Promise.all(asked)) for (const hit of hits) found.set(hit.id, hit);
  for (const [id, hit] of found) details.set(id, hit);
  return [{ query: q, assets: [...found.keys()] }];
}

const chosenPool = () => byId("judge-pool").value;
const asked = () => (chosenPool() ? { pool: chosenPool() } : { q: byId("judge-query").value.trim() });

async function start() {
  localStorage.setItem(KEPT, byId("judge-name").value);
  history.replaceState(null, "", `?${new URLSearchParams(asked())}`);
  // Until it is known what this judge has graded, there is nothing to grade.
  byId("pair").hidden = true;
  byId("judge-asked").textContent = byId("said").textContent = "";
  const mine = ++begun;
  try {
    const pooled = chosenPool() ? (await call(`/v1/pools/${encodeURIComponent(chosenPool())}`)).queries : await ownQuery();
    const known = await judged();
    // Somebody who starts again meanwhile, under another name, wants this no more.
    if (mine !== begun) return;
    [queries, given] = [pooled, known];
    await open(left());
  } catch (failure) {
    if (mine === begun) byId("said").textContent = failure.message;
  }
}

// What the judge has graded already.
async function judged() {
  const who = judge() || (await call("/v1/session")).name;
  const { judgments } = await call(`/v1/judgments?${new URLSearchParams({ judge: who })}`);
  return new Map(judgments.map((one) => [`${one.query}\n${one.asset}`, one.grade]));
}

// The first query that is not judged in full, or the last one.
function left() {
  const first = queries.findIndex((one) => one.assets.some((id) => !given.has(`${one.query}\n${id}`)));
  return first < 0 ? queries.length - 1 : first;
}

async function open(place) {
  asking = place;
  pool = [];
  if (queries.length > 0) {
    const order = (id) => scattered(`${judge()}\n${query()}\n${id}`);
    pool = [...queries[asking].assets].sort((a, b) => order(a) - order(b));
  }
  at = Math.max(0, pool.findIndex((id) => grade(id) === undefined));
  if (pool.length === 0 && (chosenPool() || byId("judge-query").value.trim())) byId("said").textContent = t("judge_none");
  await show();
}

const grade = (id) => given.get(`${query()}\n${id}`);

async function known(id) {
  // An ad may have been deleted since it was pooled: it is shown by its id.
  if (id && !details.has(id)) details.set(id, await call(pathOf(id)).catch(() => ({ asset: { id }, picture: null })));
  return details.get(id);
}

async function show() {
  const pair = byId("pair");
  pair.hidden = pool.length === 0;
  if (pair.hidden) return;
  const id = pool[at];
  const { asset, picture } = await known(id);
  if (id !== pool[at]) return;
  known(pool[at + 1]);
  tell();
  const image = picture && make("img", { alt: asset.title || id, width: picture.width, height: picture.height,
    src: `${pathOf(id, "image")}?v=${picture.digest.slice(0, 16)}` });
  clear(pair,
    make("div", { class: "shown" }, image),
    make("div", {},
      copy("h2", asset, {}, asset.title || (picture ? "" : id)),
      copy("p", asset, { class: "body" }, asset.body ?? ""),
      make("p", { class: "faint", dir: "auto" }, [asset.brand, ...(asset.tags ?? [])].filter(Boolean).join(" · ")),
      make("div", { class: "grades", role: "group", "aria-label": query() }, GRADES.map((one) =>
        make("button", { type: "button", "aria-pressed": String(grade(id) === one), onclick: () => give(one) },
          make("kbd", {}, String(one)), t(`grade_${one}`)))),
      make("div", { class: "row" },
        button(`← ${t("previous")}`, () => go(-1), { disabled: at + asking === 0 }),
        button(`${t("next")} →`, () => go(1), { disabled: at === pool.length - 1 && asking === queries.length - 1 }))));
}

function tell() {
  const done = pool.filter((id) => grade(id) !== undefined).length;
  const [all, last] = [number(pool.length), asking === queries.length - 1];
  byId("judge-asked").hidden = !chosenPool();
  byId("judge-asked").textContent = chosenPool()
    ? t("judge_query_at", { at: number(asking + 1), all: number(queries.length), query: query() }) : "";
  byId("said").textContent = done === pool.length && last ? t("judge_done", { count: all })
    : `${t("judge_at", { done: number(done), all })} · ${t("judge_keys")}`;
}

// To the next or the previous pair, over the end of a query to another one.
async function go(step) {
  const place = asking + step;
  if (pool[at + step] !== undefined) at += step;
  else if (queries[place] !== undefined) {
    await open(place);
    if (step < 0) at = pool.length - 1;
  }
  await show();
}

// One at a time: a key that is pressed before the next pair is shown is not meant for it.
async function give(one) {
  if (saving) return;
  saving = true;
  await keep(one);
  saving = false;
}

async function keep(one) {
  const [id, asked] = [pool[at], query()];
  const body = JSON.stringify({ query: asked, asset: id, grade: one, ...(keyName() ? {} : { judge: judge() }) });
  try {
    await call("/v1/judgments", { method: "PUT", headers: { "Content-Type": "application/json" }, body });
  } catch (failure) {
    byId("said").textContent = failure.message;
    return;
  }
  given.set(`${asked}\n${id}`, one);
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
byId("language").addEventListener("click", turn);

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
await learnSession();
begin();
