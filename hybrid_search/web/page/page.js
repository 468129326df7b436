// The plain search page. The address bar holds the search, a picked picture excepted; all text
// goes in as text, never as markup.
const byId = (id) => document.getElementById(id);
const said = byId("said");
let picture = null;
let cursor = null;
let running = null;

const narrowing = () => new URLSearchParams(location.search);
const thumbnail = (id, digest) =>
  `/v1/assets/${encodeURIComponent(id)}/thumbnail?v=${digest.slice(0, 16)}`;

function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = kind;
  return made;
}

// Offsets count characters, as Python does; an emoji is one of them, but two units here.
function marked(text, spans) {
  const characters = [...text];
  const parts = document.createDocumentFragment();
  let at = 0;
  for (const { start, end } of spans) {
    parts.append(characters.slice(at, start).join(""));
    parts.append(element("mark", characters.slice(start, end).join("")));
    at = end;
  }
  parts.append(characters.slice(at).join(""));
  return parts;
}

function spansOf(hit, field) {
  return hit.highlights.filter((span) => span.field === field && span.index === 0);
}

function shown(hit) {
  const card = byId("hit").content.cloneNode(true).firstElementChild;
  const image = card.querySelector("img");
  if (hit.picture) {
    image.width = hit.picture.width;
    image.height = hit.picture.height;
    image.style.backgroundColor = hit.picture.placeholder;
    image.addEventListener("load", () => (image.style.backgroundColor = ""));
    image.src = thumbnail(hit.id, hit.picture.digest);
    image.alt = hit.asset.title || hit.id;
    card.querySelector("a").href = `/v1/assets/${encodeURIComponent(hit.id)}/image`;
  } else {
    card.querySelector("a").remove();
    card.querySelector(".like").remove();
  }
  card.querySelector("h2").append(marked(hit.asset.title ?? "", spansOf(hit, "title")));
  card.querySelector(".body").append(marked(hit.asset.body ?? "", spansOf(hit, "body")));
  facts(hit, card.querySelector(".facts"));
  card.querySelector(".like")?.addEventListener("click", () => narrow({ q: "", like: hit.id }));
  explain(hit, card);
  return card;
}

function facts(hit, place) {
  if (hit.asset.brand) {
    const brand = element("button", hit.asset.brand);
    brand.type = "button";
    brand.addEventListener("click", () => narrow({ filter: `brand:${hit.asset.brand}` }));
    place.append(brand, " · ");
  }
  const when = [hit.asset.starts, hit.asset.ends].filter(Boolean).join(" – ");
  place.append([hit.asset.campaign, when, hit.id].filter(Boolean).join(" · "));
}

function explain(hit, card) {
  const table = card.querySelector(".lists");
  for (const part of hit.lists ?? []) {
    const row = table.tBodies[0].insertRow();
    const rank = part.rank ?? part.absent.replace("_", " ");
    const score = part.score === null ? "–" : part.score.toFixed(3);
    const believed = part.rank === null ? "–" : part.confidence.toFixed(2);
    const name = part.list.replaceAll("_", " ");
    for (const cell of [name, rank, score, believed, part.contribution.toFixed(4)])
      row.insertCell().textContent = cell;
  }
  const why = card.querySelector(".why");
  why.addEventListener("click", () => {
    table.hidden = !table.hidden;
    why.setAttribute("aria-expanded", String(!table.hidden));
  });
}

function chip(label, remove, image = null) {
  const item = element("li");
  const button = element("button");
  button.type = "button";
  if (image) {
    const small = element("img");
    small.src = image;
    small.alt = "";
    button.append(small);
  }
  button.append(`${label} ×`);
  button.setAttribute("aria-label", `Remove ${label}`);
  button.addEventListener("click", remove);
  item.append(button);
  byId("chips").append(item);
}

function showNarrowing() {
  byId("chips").replaceChildren();
  if (picture) {
    const forget = () => ((picture = null), search());
    chip(picture.name || "your picture", forget, URL.createObjectURL(picture));
  }
  for (const name of ["like", "filter"])
    for (const value of narrowing().getAll(name)) {
      const drop = () => narrow({ [name]: null }, value);
      chip(name === "like" ? `like ${value}` : value, drop);
    }
}

// Put parameters into the address bar and search; null takes one value out again.
function narrow(changes, value = null) {
  const parameters = narrowing();
  for (const [name, change] of Object.entries(changes)) {
    const kept = change === null ? parameters.getAll(name).filter((v) => v !== value) : [];
    parameters.delete(name);
    for (const one of change ? [change] : kept) parameters.append(name, one);
  }
  history.pushState(null, "", `?${parameters}`);
  byId("q").value = parameters.get("q") ?? "";
  search();
}

async function ask(next) {
  const parameters = narrowing();
  parameters.set("size", "24");
  parameters.set("explain", "true");
  if (next) parameters.set("cursor", next);
  running?.abort();
  running = new AbortController();
  const options = { signal: running.signal };
  if (picture) Object.assign(options, { method: "POST", body: picture });
  const response = await fetch(`/v1/search?${parameters}`, options);
  const answer = await response.json();
  byId("sign-in").hidden = response.status !== 401;
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

function showMeant(queries) {
  const place = byId("meant");
  place.hidden = queries.length === 0;
  place.replaceChildren("Did you mean ");
  for (const query of queries) {
    const button = element("button", query);
    button.type = "button";
    button.addEventListener("click", () => narrow({ q: query }));
    place.append(button);
  }
}

async function complete(typed) {
  const options = byId("completions");
  const known = [...options.children].some((option) => option.value === typed);
  if (!typed.trim() || known) return;
  const response = await fetch(`/v1/suggest?${new URLSearchParams({ q: typed, size: 8 })}`);
  if (!response.ok || byId("q").value !== typed) return;
  const { completions } = await response.json();
  options.replaceChildren(...completions.map(({ text }) => new Option(text, text)));
}

async function signIn(event) {
  event.preventDefault();
  const body = JSON.stringify({ key: byId("key").value });
  const headers = { "Content-Type": "application/json" };
  const response = await fetch("/v1/session", { method: "POST", headers, body });
  byId("key").value = "";
  if (response.ok) return search();
  said.textContent = (await response.json()).detail;
}

byId("sign-in").addEventListener("submit", signIn);

async function search(next = null) {
  showNarrowing();
  document.title = byId("q").value ? `${byId("q").value} – hybrid_search` : "hybrid_search";
  try {
    const answer = await ask(next);
    if (!next) byId("hits").replaceChildren();
    byId("hits").append(...answer.hits.map(shown));
    cursor = answer.cursor;
    byId("more").hidden = cursor === null;
    showMeant(answer.did_you_mean);
    const found = answer.candidates === 1 ? "1 result" : `${answer.candidates} results`;
    const summary = answer.hits.length || next ? found : "Nothing found.";
    said.textContent = [`${summary} in ${answer.took_ms.toFixed(1)} ms`, ...answer.notes].join("\n");
  } catch (failure) {
    if (failure.name === "AbortError") return;
    byId("more").hidden = true;
    byId("hits").replaceChildren();
    said.textContent = failure.message;
  }
}

function take(file) {
  if (!file?.type.startsWith("image/")) return;
  picture = file;
  narrow({});
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  narrow({ q: byId("q").value });
});
byId("q").addEventListener("input", (event) => {
  if (!event.isComposing) complete(event.target.value);
});
byId("picture").addEventListener("change", (event) => take(event.target.files[0]));
byId("more").addEventListener("click", () => search(cursor));
document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", () => document.body.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  take(event.dataTransfer.files[0]);
});
addEventListener("popstate", () => {
  byId("q").value = narrowing().get("q") ?? "";
  search();
});

byId("q").value = narrowing().get("q") ?? "";
search();
