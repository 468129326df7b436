// The dialog of one asset: picture, fields, duplicates, similar assets and versions.
import { call, pathOf, thumbnailOf } from "./api.js";
import { like, unlike } from "./board.js";
import { assetText, button, byId, clear, make } from "./elements.js";
import { editAsset } from "./edit.js";
import { mayWrite } from "./session.js";
import * as state from "./state.js";
import { dateTime, number, t, textOr } from "./words.js";

const dialog = byId("asset");
const body = byId("asset-body");
const FIRST = ["title", "body", "brand", "campaign", "tags", "starts", "ends", "language", "source"];
let shown = null;

export const openAsset = (id) => state.change((parameters) => parameters.set("asset", id));
const close = () => state.change((parameters) => parameters.delete("asset"), { push: false });

// Show the asset that the address names, or close the dialog.
export async function showAsset() {
  const id = state.value("asset");
  if (id === shown) return;
  shown = id;
  if (!id) return dialog.close();
  clear(body);
  if (!dialog.open) dialog.showModal();
  try {
    const stored = await call(pathOf(id));
    if (shown === id) draw(id, stored);
  } catch (failure) {
    clear(body, make("p", { class: "error" }, failure.message));
  }
}

// Show the asset again after it was stored.
export function refreshAsset() {
  shown = null;
  showAsset();
}

dialog.addEventListener("close", () => { if (state.value("asset")) close(); });
dialog.addEventListener("click", ({ target }) => { if (target === dialog) dialog.close(); });

byId("asset-close").addEventListener("click", () => dialog.close());

function draw(id, stored) {
  const { asset, picture } = stored;
  const name = asset.title || asset.id;
  dialog.setAttribute("aria-label", name);
  clear(body, make("div", { class: "asset" },
    picture && large(id, picture, name),
    make("div", { class: "about" },
      assetText("h2", asset, {}, name),
      make("div", { class: "row" },
        picture && button(t("like"), () => leaveFor(() => like(id))),
        picture && button(t("unlike"), () => leaveFor(() => unlike(id))),
        mayWrite() && button(t("edit"), () => editAsset(stored)),
        mayWrite() && button(t("delete"), () => remove(id, name), { class: "danger" })),
      fields(stored),
      picture && strip("duplicates", t("copies")),
      picture && strip("similar", t("alike")),
      strip("versions", t("versions")))));
  if (picture) showDuplicates(id);
  if (picture) showSimilar(id);
  showVersions(id);
}

function leaveFor(act) {
  dialog.close();
  act();
}

function large(id, picture, name) {
  const image = make("img", { src: `${pathOf(id, "image")}?v=${picture.digest.slice(0, 16)}`, alt: name,
    width: picture.width, height: picture.height, onload: () => image.style.removeProperty("background-color") });
  image.style.backgroundColor = picture.placeholder;
  return make("a", { class: "large", href: image.src, target: "_blank", rel: "noopener", title: t("original") }, image);
}

const labelOf = (field) => textOr(`f_${field}`, field);

function fields({ asset, picture, updated_at: updated }) {
  const names = [...FIRST.filter((name) => name in asset), ...Object.keys(asset).filter((n) => !FIRST.includes(n) && n !== "id")];
  const rows = names.filter((name) => name !== "title").map((name) => [labelOf(name), textOf(asset[name]), asset]);
  rows.push([t("f_id"), asset.id, {}]);
  if (picture) rows.push([t("f_picture"), `${picture.format}, ${picture.width} × ${picture.height}, ${number(picture.bytes / 1024)} kB`, {}]);
  rows.push([t("f_updated"), dateTime(updated), {}]);
  return make("dl", { class: "fields" }, rows.map(([name, text, owner]) => [make("dt", {}, name), assetText("dd", owner, {}, text)]));
}

const textOf = (value) => (Array.isArray(value) ? value.join(", ") : String(value));

const strip = (id, title) => make("section", { id: `strip-${id}`, hidden: true }, make("h3", {}, title), make("ul", { class: "strip" }));

function fill(id, items) {
  const section = byId(`strip-${id}`);
  if (!section) return;
  section.hidden = items.length === 0;
  clear(section.querySelector("ul"), items);
}

function small(stored, note) {
  const { asset, picture } = stored;
  const name = asset.title || asset.id;
  return make("li", {}, make("button", { type: "button", onclick: () => openAsset(asset.id), "aria-label": t("open", { what: name }) },
    picture && make("img", { src: thumbnailOf(asset.id, picture), alt: "", loading: "lazy" }),
    make("small", { dir: "auto" }, note || name)));
}

async function showDuplicates(id) {
  const { duplicates } = await call(pathOf(id, "duplicates"));
  if (shown === id) fill("duplicates", duplicates.map((one) => small(one, `${t(`copy_${one.band}`)} · ${one.asset.title || one.asset.id}`)));
}

async function showSimilar(id) {
  const { hits } = await call(`${pathOf(id, "similar")}?size=12`);
  if (shown === id) fill("similar", hits.map((hit) => small(hit, "")));
}

async function showVersions(id) {
  const { versions } = await call(pathOf(id, "versions"));
  if (shown !== id || versions.length < 2) return;
  fill("versions", versions.map((one, at) => version(one, versions[at + 1], at)));
}

// A version, and the fields that differ from the version before it.
function version({ asset, picture, ordinal, updated_at: updated }, before, at) {
  const names = new Set([...Object.keys(asset), ...Object.keys(before?.asset ?? {})]);
  const changed = [...names].filter((name) => textOf(asset[name] ?? "") !== textOf(before?.asset[name] ?? ""));
  if (picture?.digest !== before?.picture?.digest) changed.push("picture");
  const note = before ? changed.map(labelOf).join(", ") || t("version_same") : asset.title;
  return make("li", {}, make("div", { class: "version" },
    picture && make("img", { src: thumbnailOf(asset.id, picture, ordinal), alt: "", loading: "lazy" }),
    make("small", {}, `${at === 0 ? `${t("version_now")} · ` : ""}${dateTime(updated)}`),
    make("small", { dir: "auto" }, note)));
}

async function remove(id, name) {
  if (!confirm(t("delete_sure"))) return;
  try {
    await call(pathOf(id), { method: "DELETE" });
  } catch (failure) {
    return alert(failure.message);
  }
  dialog.close();
  dispatchEvent(new CustomEvent("index-changed", { detail: t("deleted", { what: name }) }));
}
