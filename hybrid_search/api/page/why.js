// Explains the rank of an ad: the contribution of each list, how each list was searched, and the
// rank with other weights.
import { pathOf, search } from "./api.js";
import { byId, clear, make } from "./elements.js";
import { closeSide, openSide } from "./side.js";
import { number, short, t, textOr } from "./words.js";

let shown = null;
let token = null;

export const listName = (list) => textOr(`list_${list}`, list);

// Explain the candidates of this answer.
export const setAnswer = (answer) => { token = answer?.token ?? null; };

export async function explain(id, opener) {
  shown = id;
  openSide("why", t("why_title"), opener);
  try {
    const found = await search({ reuse: token, cursor: null }, { path: pathOf(id, "explain") });
    if (shown === id) clear(byId("side-body"), ...explanation(found));
  } catch (failure) {
    clear(byId("side-body"), make("p", { class: "error" }, failure.message));
  }
}

// Refresh an open explanation after the search has changed; close it when its ad is gone.
export function refreshExplanation() {
  if (byId("side").dataset.shows === "why") explain(shown, null).catch(closeSide);
}

function explanation(found) {
  const { hit } = found;
  return [
    make("h3", { dir: "auto" }, hit.asset.title || hit.id),
    make("p", { class: "place" }, place(found)),
    hit.phrases > 0 && make("p", { class: "tier" }, t("holds_phrase")),
    hit.matched_fields.length > 0 && make("p", {}, t("found_in", { fields: hit.matched_fields.map(fieldName).join(", ") })),
    parts(found),
    found.rank && make("p", { class: "sum" }, `${t("score_total")} ${number(hit.score, 4)}`,
      hit.lift !== 1 && make("span", { class: "faint" }, ` · ${t("lifted", { lift: number(hit.lift, 2) })}`)),
    found.otherwise.length > 0 && otherwise(found),
    plans(found),
  ];
}

const fieldName = (field) => textOr(`f_${field}`, field);

function place(found) {
  if (found.rank) return t("rank_of", { rank: number(found.rank), count: number(found.candidates) });
  return found.admitted ? t("not_ranked") : t("not_admitted");
}

function parts(found) {
  const most = Math.max(...found.hit.lists.map((part) => part.contribution), 1e-9);
  const head = ["col_list", "col_rank", "col_score", "col_weight", "col_confidence", "col_contribution"];
  return make("table", { class: "parts" },
    make("thead", {}, make("tr", {}, head.map((name) => make("th", { scope: "col" }, t(name))))),
    make("tbody", {}, found.hit.lists.map((part, at) => row(part, found.lists[at], most))));
}

function row(part, report, most) {
  const bar = make("span", { class: `bar list-${part.list}` });
  bar.style.width = `${(100 * part.contribution) / most}%`;
  const rank = part.rank ? number(part.rank) : t(part.absent, { count: number(report.window) });
  return make("tr", { class: part.rank ? "" : "absent" },
    make("th", { scope: "row" }, listName(part.list), make("span", { class: "track" }, bar)),
    make("td", {}, rank),
    make("td", {}, part.score === null ? "–" : number(part.score, 3)),
    make("td", {}, short(part.weight)),
    make("td", {}, part.rank ? number(part.confidence, 2) : "–"),
    make("td", {}, number(part.contribution, 4)));
}

// One row for each setting: the rank at each value, and whether it is better or worse than now.
function otherwise(found) {
  const rows = new Map();
  for (const { setting, value, rank } of found.otherwise)
    rows.set(setting, [...(rows.get(setting) ?? []), { value, rank }]);
  return make("section", {}, make("h4", {}, t("otherwise")),
    make("table", { class: "otherwise" }, make("tbody", {}, [...rows].map(([setting, tried]) =>
      make("tr", {}, make("th", { scope: "row" }, settingName(setting)),
        make("td", {}, tried.map((one) => step(one, found.rank))))))));
}

const settingName = (setting) =>
  setting === "rank_constant" ? t("rank_constant") : listName(setting.slice("weight.".length));

function step({ value, rank }, now) {
  const change = rank === now ? "same" : rank && (!now || rank < now) ? "better" : "worse";
  return make("span", { class: `step ${change}` }, make("small", {}, `${short(value)} → `),
    rank ? number(rank) : "–");
}

function plans(found) {
  return make("section", {}, make("h4", {}, t("plan")),
    make("dl", { class: "plans" }, found.lists.map((report) => [
      make("dt", {}, listName(report.list)),
      make("dd", {}, [report.plan, report.evidence].filter(Boolean).join(" · ")),
    ])));
}
