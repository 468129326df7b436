// The filter panel: facets with counts, run dates and picture width.
import { search } from "./api.js";
import { byId, clear, make, button } from "./elements.js";
import * as state from "./state.js";
import { number, t, textOr } from "./words.js";

const FIELDS = ["brand", "campaign", "tags", "language", "orientation", "format", "channel", "active", "source"];
const MAX_VALUES = 7;
const WIDTHS = [600, 1000, 1600];
const expanded = new Set();
let running = null;
let last = {};

const nameOf = (field) => textOr(`f_${field}`, field);
const labelOf = (value) => textOr(`v_${value}`, String(value));

// The field and the values of a filter that this panel can set; null for other filters.
function parsed(filter) {
  if (filter.startsWith("{")) {
    try {
      const [[field, value]] = Object.entries(JSON.parse(filter));
      return { field, values: [value].flat() };
    } catch {
      return null;
    }
  }
  const colon = filter.indexOf(":");
  return { field: filter.slice(0, colon), values: [filter.slice(colon + 1)] };
}

const chosen = (field) =>
  state.values("filter").map(parsed).filter((one) => one?.field === field).flatMap((one) => one.values);

// Values as filters; JSON where the short form would mean a range or a prefix.
function toFilters(field, values) {
  const plain = values.every((v) => typeof v === "string" && !/\.\.|\*/.test(v));
  return plain ? values.map((v) => `${field}:${v}`) : [JSON.stringify({ [field]: values })];
}

function replace(parameters, field, filters) {
  const kept = parameters.getAll("filter").filter((one) => parsed(one)?.field !== field);
  parameters.delete("filter");
  for (const one of [...kept, ...filters]) parameters.append("filter", one);
}

export function set(field, values) {
  state.change((parameters) => replace(parameters, field, values.length ? toFilters(field, values) : []));
}

function toggle(field, value) {
  const before = chosen(field);
  const same = (one) => String(one) === String(value);
  set(field, before.some(same) ? before.filter((one) => !same(one)) : [...before, value]);
}

// Fetch the facets. A field with a filter is counted without that filter, so that further values
// can be chosen.
export async function count(token) {
  running?.abort();
  const mine = (running = new AbortController());
  byId("facets").setAttribute("aria-busy", "true");
  try {
    show(await fetched(token, mine.signal));
  } finally {
    if (running === mine) byId("facets").removeAttribute("aria-busy");
  }
}

async function fetched(token, signal) {
  const filtered = FIELDS.filter((field) => chosen(field).length);
  const fetchFacets = (facet, modify) =>
    search({ facet, size: 1, ...(modify ? {} : { reuse: token }) }, { signal, modify });
  const answers = await Promise.all([
    fetchFacets(FIELDS.filter((field) => !filtered.includes(field))),
    ...filtered.map((field) => fetchFacets([field], (parameters) => replace(parameters, field, []))),
  ]);
  return Object.assign({}, ...answers.map(({ facets }) => facets));
}

function show(facets) {
  last = facets;
  const focused = document.activeElement?.id;
  clear(byId("facets"), FIELDS.map((field) => group(field, facets[field] ?? [])));
  if (focused) byId(focused)?.focus();
}

function group(field, values) {
  const on = chosen(field).map(String);
  const missing = on.filter((one) => !values.some(({ value }) => String(value) === one));
  const all = [...values, ...missing.map((value) => ({ value, assets: 0 }))];
  if (all.length < 2 && on.length === 0) return null;
  const whole = expanded.has(field);
  const shown = whole ? all : all.filter(({ value }, at) => at < MAX_VALUES || on.includes(String(value)));
  return make("fieldset", { class: "facet" }, make("legend", {}, nameOf(field)),
    shown.map(({ value, assets }, at) => option(field, value, assets, on.includes(String(value)), at)),
    all.length > MAX_VALUES && button(whole ? t("show_fewer") : t("show_all", { count: all.length }),
      () => { expanded[whole ? "delete" : "add"](field); show(last); },
      { class: "plain", id: `expand-${field}` }));
}

function option(field, value, assets, checked, at) {
  return make("label", { class: "option" },
    make("input", { type: "checkbox", checked, id: `facet-${field}-${at}`, onchange: () => toggle(field, value) }),
    make("span", { dir: "auto", class: "value" }, labelOf(value)), make("small", {}, number(assets)));
}

const bound = (field, side) => {
  const [found] = chosen(field);
  return found?.includes?.("..") ? found.split("..")[side] : "";
};

function range(field, text) {
  state.change((parameters) => replace(parameters, field, text ? [`${field}:${text}`] : []));
}

// An ad runs between two dates if it starts on or before the last and ends on or after the first.
byId("from").addEventListener("change", ({ target }) => range("ends", target.value && `${target.value}..`));
byId("until").addEventListener("change", ({ target }) => range("starts", target.value && `..${target.value}`));
byId("width").addEventListener("change", ({ target }) => range("width", target.value && `${target.value}..`));
byId("width").append(make("option", { value: "" }, t("any")),
  ...WIDTHS.map((width) => make("option", { value: String(width) }, t("pixels", { count: number(width) }))));

function showRanges() {
  byId("from").value = bound("ends", 0);
  byId("until").value = bound("starts", 1);
  byId("width").value = bound("width", 0);
}

function describe(filter) {
  const one = parsed(filter);
  if (!one?.field) return filter;
  if (one.field === "ends") return `${t("from")} ${bound("ends", 0)}`;
  if (one.field === "starts") return `${t("until")} ${bound("starts", 1)}`;
  if (one.field === "width") return `≥ ${t("pixels", { count: bound("width", 0) })}`;
  return `${nameOf(one.field)}: ${one.values.map(labelOf).join(", ")}`;
}

function showChips() {
  const filters = state.values("filter");
  const drop = (filter) => state.change((parameters) => parameters.delete("filter", filter));
  clear(byId("chips"),
    filters.map((filter) => make("li", {}, button(`${describe(filter)} ×`, () => drop(filter),
      { "aria-label": t("remove", { what: describe(filter) }), class: "chip" }))),
    filters.length > 1 && make("li", {}, button(t("clear_filters"), clearAll, { class: "plain" })));
  byId("chips").hidden = filters.length === 0;
}

export const clearAll = () => state.change((parameters) => parameters.delete("filter"));

export function showState() {
  showRanges();
  showChips();
}
