// Requests to the service. An error response is thrown as a ServiceError.
import { decoded } from "./pictures.js";
import { pictures, searchParameters } from "./state.js";
import { t, textOr } from "./words.js";

// Its message is in the language of the page where there is a text for the status; else it is the
// detail of the service.
export class ServiceError extends Error {
  constructor(status, detail) {
    super(textOr(`error_${status}`, detail));
    this.status = status;
  }
}

export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new ServiceError(0, t("offline"));
  }
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  const content = text && isJson ? JSON.parse(text) : null;
  if (response.ok) return content;
  if (response.status === 401) dispatchEvent(new Event("signed-out"));
  throw new ServiceError(response.status, content?.detail ?? response.statusText);
}

// Run the search of the address bar with additional parameters; with pictures it is sent as a form.
export function search(additional = {}, { path = "/v1/search", signal, modify = null } = {}) {
  const parameters = searchParameters();
  for (const [name, value] of Object.entries(additional)) {
    parameters.delete(name);
    for (const one of [value].flat()) if (one !== null && one !== "") parameters.append(name, one);
  }
  if (modify) modify(parameters);
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

// Store an asset; `progress` receives the share that was sent.
export function put(id, asset, picture, progress = () => {}) {
  const body = new FormData();
  body.append("asset", JSON.stringify(asset));
  if (picture) body.append("image", picture, "picture");
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", (event) => progress(event.loaded / event.total));
  return new Promise((resolve, reject) => {
    request.addEventListener("error", () => reject(new ServiceError(0, t("offline"))));
    request.addEventListener("load", () => {
      const content = JSON.parse(request.responseText);
      if (request.status < 300) resolve(content);
      else reject(new ServiceError(request.status, content.detail));
    });
    request.open("PUT", pathOf(id));
    request.send(body);
  });
}
