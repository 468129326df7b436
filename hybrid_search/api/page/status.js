// The status page: sizes, generation, drift, write buffer, queues and recent errors. It refreshes
// every few seconds while it is visible.
import { call } from "./api.js";
import { byId, clear, make } from "./elements.js";
import { loadSession } from "./session.js";
import { dateTime, number, switchLanguage, t, textOr, translate } from "./words.js";

const INTERVAL = 5000;

const tile = (name, value) => make("div", { class: typeof value === "number" ? "tile" : "tile words" },
  make("b", {}, typeof value === "number" ? number(value) : value), make("small", {}, t(name)));

const panel = (title, ...content) => make("section", { class: "panel" }, make("h2", {}, title), ...content);

const pairs = (rows) => make("dl", { class: "pairs" }, rows.filter(([, value]) => value !== null && value !== "")
  .map(([name, value]) => [make("dt", {}, name), make("dd", {}, typeof value === "number" ? number(value) : value)]));

const megabytes = (bytes) => `${number(bytes / 1e6, 1)} MB`;

function vectors(name, facts) {
  const drift = Object.entries(facts.drift).map(([measure, share]) => `${measure} ${number(100 * share, 1)} %`);
  return panel(t(name), pairs([
    [t("s_kind"), [facts.kind, ...Object.entries(facts.parameters).map((pair) => pair.join(" "))].join(", ")],
    [t("s_segment"), facts.sealed],
    [t("s_inserted"), facts.inserted],
    [t("s_buffer"), facts.tail],
    [t("s_tombstones"), `${number(facts.tombstones)} (${number(100 * facts.tombstone_ratio, 1)} %)`],
    [t("s_drift"), drift.join(", ") || t("s_drift_none")],
    [t("s_memory"), megabytes(facts.bytes)],
    [t("s_disk"), megabytes(facts.disk_bytes)],
    [t("s_calibrated"), facts.calibrated],
    [t("s_due"), facts.due],
    [t("s_trouble"), facts.trouble],
  ]));
}

function service({ service: load, encoding }) {
  const all = encoding.cache_hits + encoding.cache_misses;
  const waiting = Object.entries(load.waiting).map(([lane, count]) => [t("s_waiting", { lane: textOr(`lane_${lane}`, lane) }), count]);
  const cache = t("s_cache_value", { hits: number(encoding.cache_hits), all: number(all) });
  return panel(t("s_service"), pairs([[t("s_in_flight"), load.in_flight], ...waiting, [t("s_cache"), cache]]));
}

function failures({ service: { failures: all } }) {
  const head = ["s_when", "s_what", "s_status", "s_detail"];
  const rows = all.map((one) => [dateTime(one.at), one.operation, one.status, one.detail]);
  return make("section", { class: "panel wide", tabIndex: 0, "aria-label": t("s_failures") }, make("h2", {}, t("s_failures")),
    all.length === 0 ? make("p", { class: "faint" }, t("s_failures_none"))
      : make("table", { class: "failures" },
        make("thead", {}, make("tr", {}, head.map((name) => make("th", { scope: "col" }, t(name))))),
        make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell) => make("td", {}, String(cell))))))));
}

function general(facts) {
  const unavailable = Object.values(facts.lacking).join("; ");
  return panel(t("index_title"), pairs([
    [t("s_generation"), facts.generation],
    [t("s_model"), facts.encoding.model],
    [t("s_analyzer"), facts.lexical.analyzer],
    [t("s_version"), facts.version],
    [t("s_folder"), facts.data_dir],
    [t("s_writes"), facts.writable ? t("s_yes") : t("s_readonly")],
    [t("s_unavailable"), unavailable],
    [t("s_repaired"), facts.repaired.join("; ")],
    [t("s_trouble"), facts.trouble],
  ]));
}

function clicks({ searches, interleaving }) {
  const verdict = (one) => t("s_verdict", { won: one.won_by_challenger, lost: one.won_by_configured, ties: one.ties,
    verdict: t(`s_winner_${one.winner ?? "none"}`) });
  return panel(t("s_feedback"), pairs([[t("s_kept"), searches],
    ...interleaving.map((one) => [one.challenger, verdict(one)])]));
}

async function refresh() {
  let facts, feedback;
  try {
    [facts, feedback] = await Promise.all([call("/v1/status"), call("/v1/feedback")]);
  } catch (failure) {
    byId("message").textContent = failure.message;
    return;
  }
  byId("message").textContent = "";
  clear(byId("tiles"), tile("s_assets", facts.assets), tile("s_documents", facts.lexical.documents),
    tile("s_pictures", facts.vector.vectors), facts.copy && tile("s_copy", facts.copy.vectors),
    tile("s_sequence", facts.sequence), tile("s_generation", facts.generation));
  clear(byId("panels"), vectors("s_pictures", facts.vector), facts.copy && vectors("s_copy", facts.copy),
    general(facts), service(facts), (feedback.log || feedback.searches > 0) && clicks(feedback), failures(facts));
}

translate();
document.title = `${t("index_title")} – ${t("title")}`;
byId("language").addEventListener("click", switchLanguage);
addEventListener("index-changed", refresh);
loadSession();
refresh();
setInterval(() => { if (!document.hidden) refresh(); }, INTERVAL);
