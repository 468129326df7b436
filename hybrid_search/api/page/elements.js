// Elements made of properties and text. Nothing that is shown is ever parsed as markup, so copy
// that holds markup is shown as what it is.
export const byId = (id) => document.getElementById(id);

// An element; properties that begin with "on" are listeners, those that say nothing are left out.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return element;
}

export const button = (text, onclick, properties = {}) =>
  make("button", { type: "button", onclick, ...properties }, text);

// Copy in its own direction and language, so that it cannot turn what stands around it.
export const copy = (tag, asset, properties, ...children) =>
  make(tag, { dir: "auto", lang: asset.language ?? null, ...properties }, ...children);

// The text with its matches marked. Offsets count characters, as Python does: an emoji is one of
// them, but two units here.
export function marked(text, spans) {
  const characters = [...text];
  const parts = [];
  let at = 0;
  for (const { start, end } of spans) {
    parts.push(characters.slice(at, start).join(""));
    parts.push(make("mark", {}, characters.slice(start, end).join("")));
    at = end;
  }
  return [...parts, characters.slice(at).join("")];
}

// What is called until calls have stopped for so long.
export function settled(call, milliseconds) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), milliseconds);
  };
}

export function clear(place, ...children) {
  place.replaceChildren(...children.flat(Infinity).filter(Boolean));
  return place;
}
