// What is searched and opened, for services that keep a log: of nobody, and of no search that
// somebody was still typing.
import { call } from "./api.js";
import { byId } from "./elements.js";
import { asked, pictures, value } from "./state.js";

const LOOKED_AT = 1500;
let waiting = null;
let keep = null;

// These are the results on show now. They are kept once somebody has looked at them for a while, or
// opened one of them.
export function lookedAt({ search_id: id }, size) {
  clearTimeout(waiting);
  keep = null;
  byId("logged").hidden = id === null;
  if (id === null || !value("q") || pictures().length > 0) return;
  const parameters = new URLSearchParams([...asked(), ["size", size], ["search_id", id], ["log", true]]);
  let kept = null;
  keep = () => (kept ??= call(`/v1/search?${parameters}`).then(() => id));
  waiting = setTimeout(() => keep?.().catch(() => {}), LOOKED_AT);
}

export async function opened(asset) {
  if (keep === null) return;
  try {
    const body = JSON.stringify({ search_id: await keep(), asset });
    await call("/v1/clicks", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  } catch {
    // Whoever searches need not know that a click was not kept.
  }
}
