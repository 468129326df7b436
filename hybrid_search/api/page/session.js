// Who asks: signing in where the service has keys, and what the key may do.
import { call } from "./api.js";
import { byId } from "./elements.js";
import { t } from "./words.js";

let session = null;

export const maySave = () => session !== null && session.role !== "read";

// Who asks, by key; null where no key is asked for.
export const keyName = () => (session?.keyed ? session.name : null);

export async function learnSession() {
  session = await call("/v1/session").catch(() => null);
  show();
}

function show() {
  byId("sign-out").hidden = !session?.keyed;
  byId("sign-out").textContent = t("sign_out", { name: session?.name ?? "" });
  if (byId("add")) byId("add").hidden = !maySave();
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
    byId("sign-in-said").textContent = "";
    show();
    dispatchEvent(new CustomEvent("index-changed", { detail: "" }));
  } catch (failure) {
    byId("sign-in-said").textContent = failure.message;
  }
});

byId("sign-out").addEventListener("click", async () => {
  await call("/v1/session", { method: "DELETE" });
  location.reload();
});
