// The session: sign-in on services with API keys, and the role of the caller.
import { call } from "./api.js";
import { byId } from "./elements.js";
import { t } from "./words.js";

let session = null;

export const mayWrite = () => session !== null && session.role !== "read";

// The name of the API key; null on services without keys.
export const keyName = () => (session?.keyed ? session.name : null);

export async function loadSession() {
  session = await call("/v1/session").catch(() => null);
  show();
}

function show() {
  byId("sign-out").hidden = !session?.keyed;
  byId("sign-out").textContent = t("sign_out", { name: session?.name ?? "" });
  if (byId("add")) byId("add").hidden = !mayWrite();
  if (session) byId("sign-in").hidden = true;
}

addEventListener("signed-out", () => {
  byId("sign-in").hidden = false;
  byId("key").focus();
});

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ key: byId("key").value });
  byId("key").value = "";
  try {
    session = await call("/v1/session", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    byId("sign-in-message").textContent = "";
    show();
    dispatchEvent(new CustomEvent("index-changed", { detail: "" }));
  } catch (failure) {
    byId("sign-in-message").textContent = failure.message;
  }
});

byId("sign-out").addEventListener("click", async () => {
  await call("/v1/session", { method: "DELETE" });
  location.reload();
});
