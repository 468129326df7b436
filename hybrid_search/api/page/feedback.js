// Logs searches and clicks on services with a query log. A search is logged once it was viewed for
// a while or a hit was opened, so text that is still being typed is not logged.
import { call } from "./api.js";
import { byId } from "./elements.js";
import { pictures, searchParameters, value } from "./state.js";

const VIEWED_AFTER = 1500;
let timer = null;
let logSearch = null;

// Start the timer for the results that are shown now.
export function watchResults({ search_id: id }, size) {
  clearTimeout(timer);
  logSearch = null;
  byId("logged").hidden = id === null;
  if (id === null || !value("q") || pictures().length > 0) return;
  const parameters = new URLSearchParams([...searchParameters(), ["size", size], ["search_id", id], ["log", true]]);
  let logged = null;
  logSearch = () => (logged ??= call(`/v1/search?${parameters}`).then(() => id));
  timer = setTimeout(() => logSearch?.().catch(() => {}), VIEWED_AFTER);
}

export async function logClick(asset) {
  if (logSearch === null) return;
  try {
    const body = JSON.stringify({ search_id: await logSearch(), asset });
    await call("/v1/clicks", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  } catch {
    // A click that was not logged is no error for the user.
  }
}
