// DOM elements from properties and text. Text is never parsed as markup, so markup in an ad is
// shown as text.
export const byId = (id) => document.getElementById(id);

// An element. Properties that begin with "on" are listeners; null, undefined and false are skipped.
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

// Text of an asset with its own direction and language, isolated from the text around it.
export const assetText = (tag, asset, properties, ...children) =>
  make(tag, { dir: "auto", lang: asset.language ?? null, ...properties }, ...children);

// The text with its matches highlighted. Offsets count code points, as Python does; JavaScript
// strings count UTF-16 units.
export function highlighted(text, spans) {
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

// A function that waits until its calls have paused, and then makes the last one.
export function debounced(call, milliseconds) {
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
