// Results as cards.
import { thumbnailOf } from "./api.js";
import { like, unlike } from "./board.js";
import { button, copy, make, marked } from "./elements.js";
import { opened } from "./feedback.js";
import { set } from "./filters.js";
import { openAsset } from "./asset.js";
import { explain } from "./why.js";
import { t } from "./words.js";

const TITLE = 300;
const BODY = 600;

export const titleOf = (asset) => asset.title || asset.body?.slice(0, 60) || asset.id;

function open(id) {
  openAsset(id);
  opened(id);
}

// The copy's beginning: what nobody can see in a card is left to the asset's own view.
function shortened(hit, field, most) {
  const text = hit.asset[field] ?? "";
  const spans = hit.highlights.filter((one) => one.field === field && one.index === 0 && one.end <= most);
  return marked([...text.slice(0, most * 2)].slice(0, most).join(""), spans);
}

export function card(hit, moved = null) {
  const { asset } = hit;
  const name = titleOf(asset);
  return make("li", { class: "card", id: `hit-${hit.ordinal}` },
    make("article", { "aria-label": name },
      pictureOf(hit, name),
      moved,
      make("div", { class: "text" },
        make("h2", {}, copy("button", asset, { type: "button", class: "title", onclick: () => open(asset.id) },
          asset.title ? shortened(hit, "title", TITLE) : name)),
        hit.picture && asset.body && copy("p", asset, { class: "body" }, shortened(hit, "body", BODY)),
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
      copy("span", hit.asset, {}, hit.asset.body ? shortened(hit, "body", BODY) : name));
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
