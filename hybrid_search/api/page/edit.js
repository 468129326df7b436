// The dialog to add and edit ads: picture and common fields; all other fields as JSON.
import { pathOf, put } from "./api.js";
import { button, byId, clear, make } from "./elements.js";
import { t } from "./words.js";

const dialog = byId("edit");
const TEXT_FIELDS = ["title", "brand", "campaign", "language", "starts", "ends"];
const KNOWN = new Set([...TEXT_FIELDS, "id", "body", "tags"]);

const field = (name, element, label = t(`f_${name}`)) => make("label", {}, make("span", {}, label), element);
const input = (name, value, properties = {}) => make("input", { name, value: value ?? "", ...properties });

export function editAsset(stored) {
  const { asset } = stored;
  const further = Object.fromEntries(Object.entries(asset).filter(([name]) => !KNOWN.has(name)));
  open(t("edit_title"), asset, further, { required: false, label: t("new_picture") },
    async (fields, [chosen], progress) => {
      // A PUT replaces the whole asset, so the picture is sent again.
      const kept = stored.picture && !chosen ? await (await fetch(pathOf(asset.id, "image"))).blob() : null;
      await put(asset.id, fields, chosen ?? kept, progress);
      return asset.title || asset.id;
    });
}

byId("add")?.addEventListener("click", () => {
  open(t("add_title"), {}, {}, { multiple: true, label: t("pictures"), hint: t("add_hint") }, storeAll);
});

async function storeAll(fields, pictures, progress) {
  if (pictures.length === 0 && !fields.title) throw new Error(t("need_something"));
  const all = pictures.length ? pictures : [null];
  for (const [at, picture] of all.entries()) {
    const id = crypto.randomUUID();
    const title = fields.title || picture.name.replace(/\.\w+$/, "");
    await put(id, { ...fields, title }, picture, (part) => progress((at + part) / all.length));
    byId("edit-message").textContent = t("uploading", { done: at + 1, all: all.length });
  }
  return t("results", { count: all.length });
}

function open(title, asset, further, picture, store) {
  const files = make("input", { type: "file", accept: "image/*", multiple: picture.multiple, name: "picture" });
  const progress = make("progress", { max: 1, value: 0, hidden: true, "aria-label": title });
  const form = make("form", { method: "dialog", class: "edit" },
    make("h2", {}, title),
    picture.hint && make("p", { class: "faint" }, picture.hint),
    make("div", { class: "two" }, field("picture", files, picture.label),
      field("title", input("title", asset.title, { maxLength: 1000, dir: "auto" }))),
    field("body", make("textarea", { name: "body", rows: 4, value: asset.body ?? "", dir: "auto" })),
    make("div", { class: "two" },
      field("brand", input("brand", asset.brand)), field("campaign", input("campaign", asset.campaign)),
      field("starts", input("starts", asset.starts?.slice(0, 10), { type: "date" })),
      field("ends", input("ends", asset.ends?.slice(0, 10), { type: "date" })),
      field("tags", input("tags", asset.tags?.join(", ")), t("tags_hint")),
      field("language", input("language", asset.language, { maxLength: 20 }))),
    field("further", make("textarea", { name: "further", rows: 3, spellcheck: false,
      value: Object.keys(further).length ? JSON.stringify(further, null, 1) : "" }), t("further")),
    make("p", { id: "edit-message", role: "status", class: "error" }), progress,
    make("div", { class: "row" }, make("button", { type: "submit", class: "primary" }, t("save")),
      button(t("cancel"), () => dialog.close())));
  form.addEventListener("submit", (event) => save(event, form, files, progress, store));
  clear(dialog, form);
  dialog.setAttribute("aria-label", title);
  dialog.showModal();
}

async function save(event, form, files, progress, store) {
  event.preventDefault();
  byId("edit-message").textContent = "";
  const submit = form.querySelector("[type=submit]");
  submit.disabled = true;
  progress.hidden = false;
  try {
    const what = await store(read(form), [...files.files], (part) => (progress.value = part));
    dialog.close();
    dispatchEvent(new CustomEvent("index-changed", { detail: t("saved", { what }) }));
  } catch (failure) {
    byId("edit-message").textContent = failure.message;
  }
  submit.disabled = false;
  progress.hidden = true;
}

// The fields as JSON for the API, without empty ones.
function read(form) {
  const value = (name) => form.elements[name].value.trim();
  const tags = value("tags").split(",").map((tag) => tag.trim()).filter(Boolean);
  const given = { ...further(value("further")), body: value("body"), tags };
  for (const name of TEXT_FIELDS) given[name] = value(name);
  return Object.fromEntries(Object.entries(given).filter(([, one]) => one !== "" && one?.length !== 0));
}

function further(text) {
  if (!text) return {};
  try {
    const found = JSON.parse(text);
    if (found && typeof found === "object" && !Array.isArray(found)) return found;
  } catch {
    // Reported below, as for JSON that is not an object.
  }
  throw new Error(t("further_wrong"));
}
