// Requests to the service. What it refuses is thrown with the sentence that it says.
import { decoded } from "./pictures.js";
import { asked, pictures } from "./state.js";
import { t } from "./words.js";

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new Refused(0, t("offline"));
  }
  const text = await response.text();
  const answer = text && response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : null;
  if (response.ok) return answer;
  if (response.status === 401) dispatchEvent(new Event("signed-out"));
  throw new Refused(response.status, answer?.detail ?? response.statusText);
}

// The search of the address, with further parameters; pictures make it a form.
export function search(further = {}, { path = "/v1/search", signal, without = null } = {}) {
  const parameters = asked();
  for (const [name, value] of Object.entries(further)) {
    parameters.delete(name);
    for (const one of [value].flat()) if (one !== null && one !== "") parameters.append(name, one);
  }
  if (without) without(parameters);
  if (pictures().length === 0) return call(`${path}?${parameters}`, { signal });
  const body = new FormData();
  for (const [name, value] of parameters) body.append(name, value);
  for (const { value, weight } of pictures())
    body.append(weight === 1 ? "image" : `image.${weight}`, decoded(value).blob, "picture.webp");
  return call(path, { method: "POST", body, signal });
}

export const pathOf = (id, part = "") => `/v1/assets/${encodeURIComponent(id)}${part && `/${part}`}`;

export const thumbnailOf = (id, picture, ordinal = null) =>
  `${pathOf(id, "thumbnail")}?v=${picture.digest.slice(0, 16)}${ordinal === null ? "" : `&ordinal=${ordinal}`}`;

// Store an asset; `progress` is told which share of it was sent.
export function put(id, asset, picture, progress = () => {}) {
  const body = new FormData();
  body.append("asset", JSON.stringify(asset));
  if (picture) body.append("image", picture, "picture");
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (event) => progress(event.loaded / event.total));
  return new Promise((resolve, reject) => {
    request.addEventListener("error", () => reject(new Refused(0, t("offline"))));
    request.addEventListener("load", () => {
      const answer = JSON.parse(request.responseText);
      if (request.status < 300) resolve(answer);
      else reject(new Refused(request.status, answer.detail));
    });
    request.open("PUT", pathOf(id));
    request.send(body);
  });
}
