// The judging page: candidates of several ways of searching, pooled, in random order, one at a time.
// What is judged is kept by the service at once; a reload goes on where the judge stopped.
import { call, pathOf } from "./api.js";
import { button, byId, clear, copy, make } from "./elements.js";
import { keyName, learnSession } from "./session.js";
import { number, t, translate, turn } from "./words.js";

// The pool is what any of these finds among its first twenty: blind to which of them it was.
const WAYS = [{}, { mode: "text" }, { mode: "vector" }, { fusion: "rrf", rank_constant: 60 }, { fusion: "dbsf" }];
const DEPTH = 20;
const GRADES = [0, 1, 2, 3];
const KEPT = "hybrid_search.judge";
let query = "";
let pool = [];
let given = new Map();
let at = 0;

const judge = () => keyName() ?? byId("judge-name").value.trim();

// A number that is the same for the same text: the order is random, and the same after a reload.
function scattered(text) {
  let hash = 2166136261;
  for (const unit of text) hash = Math.imul(hash ^ unit.codePointAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  return (hash ^ (hash >>> 13)) >>> 0;
}

async function pooled() {
  const asked = WAYS.map((way) => call(`/v1/search?${new URLSearchParams({ q: query, size: DEPTH, ...way })}`));
  const found = new Map();
  for (const { hits } of await Promise.all(asked)) for (const hit of hits) found.set(hit.id, hit);
  const order = (hit) => scattered(`${judge()}\n${query}\n${hit.id}`);
  return [...found.values()].sort((a, b) => order(a) - order(b));
}

async function start() {
  query = byId("judge-query").value.trim();
  if (!query) return;
  localStorage.setItem(KEPT, byId("judge-name").value);
  history.replaceState(null, "", `?${new URLSearchParams({ q: query })}`);
  try {
    pool = await pooled();
    const who = judge() || (await call("/v1/session")).name;
    const known = await call(`/v1/judgments?${new URLSearchParams({ query, judge: who })}`);
    given = new Map(known.judgments.map((one) => [one.asset, one.grade]));
  } catch (failure) {
    byId("said").textContent = failure.message;
    return;
  }
  at = Math.max(0, pool.findIndex(({ id }) => !given.has(id)));
  if (pool.length === 0) byId("said").textContent = t("judge_none");
  show();
}

function show() {
  const pair = byId("pair");
  pair.hidden = pool.length === 0;
  if (pair.hidden) return;
  const done = pool.filter(({ id }) => given.has(id)).length;
  byId("said").textContent = done === pool.length ? t("judge_done", { count: number(done) })
    : `${t("judge_at", { done: number(done), all: number(pool.length) })} · ${t("judge_keys")}`;
  const { asset, picture, id } = pool[at];
  const image = picture && make("img", { alt: asset.title || id, width: picture.width, height: picture.height,
    src: `${pathOf(id, "image")}?v=${picture.digest.slice(0, 16)}` });
  clear(pair,
    make("div", { class: "shown" }, image),
    make("div", {},
      copy("h2", asset, {}, asset.title || (picture ? "" : id)),
      copy("p", asset, { class: "body" }, asset.body ?? ""),
      make("p", { class: "faint", dir: "auto" }, [asset.brand, ...(asset.tags ?? [])].filter(Boolean).join(" · ")),
      make("div", { class: "grades", role: "group", "aria-label": query }, GRADES.map((grade) =>
        make("button", { type: "button", "aria-pressed": String(given.get(id) === grade), onclick: () => give(grade) },
          make("kbd", {}, String(grade)), t(`grade_${grade}`)))),
      make("div", { class: "row" },
        button(`← ${t("previous")}`, () => go(-1), { disabled: at === 0 }),
        button(`${t("next")} →`, () => go(1), { disabled: at === pool.length - 1 }))));
}

function go(step) {
  at = Math.min(pool.length - 1, Math.max(0, at + step));
  show();
}

async function give(grade) {
  const { id } = pool[at];
  const body = JSON.stringify({ query, asset: id, grade, ...(keyName() ? {} : { judge: judge() }) });
  try {
    await call("/v1/judgments", { method: "PUT", headers: { "Content-Type": "application/json" }, body });
  } catch (failure) {
    byId("said").textContent = failure.message;
    return;
  }
  given.set(id, grade);
  go(1);
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input") || event.altKey || event.ctrlKey || event.metaKey || byId("pair").hidden) return;
  if (event.key === "ArrowLeft") go(-1);
  else if (event.key === "ArrowRight") go(1);
  else if (GRADES.includes(Number(event.key)) && event.key.trim()) give(Number(event.key));
  else return;
  event.preventDefault();
});
byId("judge-form").addEventListener("submit", (event) => {
  event.preventDefault();
  document.activeElement.blur();
  start();
});
byId("language").addEventListener("click", turn);
addEventListener("index-changed", start);

translate();
document.title = `${t("judge_title")} – ${t("title")}`;
byId("judge-name").value = localStorage.getItem(KEPT) ?? "";
byId("judge-query").value = new URLSearchParams(location.search).get("q") ?? "";
await learnSession();
byId("judge-who").hidden = keyName() !== null;
start();
