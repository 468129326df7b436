// Results as cards.
import { thumbnailOf } from "./api.js";
import { like, unlike } from "./board.js";
import { assetText, button, highlighted, make } from "./elements.js";
import { logClick } from "./feedback.js";
import { set } from "./filters.js";
import { openAsset } from "./asset.js";
import { explain } from "./why.js";
import { t } from "./words.js";

const MAX_TITLE = 300;
const MAX_BODY = 600;

export const titleOf = (asset) => asset.title || asset.body?.slice(0, 60) || asset.id;

function open(id) {
  openAsset(id);
  logClick(id);
}

// The beginning of a field, with highlights; the dialog shows the whole text.
function shortened(hit, field, length) {
  const text = hit.asset[field] ?? "";
  const spans = hit.highlights.filter((one) => one.field === field && one.index === 0 && one.end <= length);
  return highlighted([...text.slice(0, length * 2)].slice(0, length).join(""), spans);
}

export function card(hit, moved = null) {
  const { asset } = hit;
  const name = titleOf(asset);
  return make("li", { class: "card", id: `hit-${hit.ordinal}` },
    make("article", { "aria-label": name },
      pictureOf(hit, name),
      moved,
      make("div", { class: "text" },
        make("h2", {}, assetText("button", asset, { type: "button", class: "title", onclick: () => open(asset.id) },
          asset.title ? shortened(hit, "title", MAX_TITLE) : name)),
        hit.picture && asset.body && assetText("p", asset, { class: "body" }, shortened(hit, "body", MAX_BODY)),
        make("p", { class: "facts" }, facts(asset))),
      make("div", { class: "actions" },
        hit.picture && button(t("like"), () => like(asset.id), { "aria-label": t("more_like", { what: name }) }),
        hit.picture && button(t("unlike"), () => unlike(asset.id), { "aria-label": t("less_like", { what: name }) }),
        button(t("why"), ({ currentTarget }) => explain(asset.id, currentTarget),
          { class: "why", "aria-label": t("why_this", { what: name }) }))));
}

function pictureOf(hit, name) {
  const show = () => open(hit.asset.id);
  const label = t("open", { what: name });
  if (!hit.picture)
    return make("button", { type: "button", class: "picture none", tabIndex: -1, "aria-label": label, onclick: show },
      assetText("span", hit.asset, {}, hit.asset.body ? shortened(hit, "body", MAX_BODY) : name));
  const image = make("img", { alt: "", loading: "lazy", decoding: "async", width: hit.picture.width,
    height: hit.picture.height, onload: () => box.style.removeProperty("background-color"),
    src: thumbnailOf(hit.asset.id, hit.picture) });
  const box = make("button", { type: "button", class: "picture", tabIndex: -1, "aria-label": label, onclick: show }, image);
  box.style.backgroundColor = hit.picture.placeholder;
  return box;
}

function facts(asset) {
  const when = [asset.starts, asset.ends].filter(Boolean).map((day) => day.slice(0, 10)).join(" – ");
  return [
    asset.brand && button(asset.brand, () => set("brand", [asset.brand]),
      { class: "plain", dir: "auto", "aria-label": t("only_brand", { what: asset.brand }) }),
    when && make("span", { class: "when" }, when),
  ];
}
