// The drawer beside the results; it shows one thing at a time, and Escape closes it.
import { byId, clear } from "./elements.js";

const side = byId("side");
let opener = null;

export function openSide(what, title, from) {
  if (side.dataset.shows !== what) clear(byId("side-body"));
  side.dataset.shows = what;
  byId("side-title").textContent = title;
  side.hidden = false;
  document.body.classList.add("with-side");
  if (from) {
    opener = from;
    byId("side-close").focus();
  }
}

export function closeSide() {
  side.hidden = true;
  delete side.dataset.shows;
  document.body.classList.remove("with-side");
  if (opener?.isConnected) opener.focus();
  opener = null;
}

byId("side-close").addEventListener("click", closeSide);
side.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeSide();
});
