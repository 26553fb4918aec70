// The views of the page, one at a time.

import { byId } from "./dom.js";

export const TABS = ["photo", "methods", "album"];

export const current = () => TABS.find((name) => byId(`tab-${name}`).getAttribute("aria-selected") === "true") ?? TABS[0];

export function select(tab) {
  for (const name of TABS) {
    const chosen = name === tab;
    byId(`tab-${name}`).setAttribute("aria-selected", String(chosen));
    byId(`tab-${name}`).tabIndex = chosen ? 0 : -1;
    byId(`view-${name}`).hidden = !chosen;
  }
  byId("main").dataset.tab = tab;
}

// show(tab) is called by a click or an arrow key.
export function listenToTabs(show) {
  for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => show(name));
  byId("tabs").addEventListener("keydown", (event) => {
    const at = TABS.indexOf(current());
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    const next = TABS[(to + TABS.length) % TABS.length];
    show(next);
    byId(`tab-${next}`).focus();
  });
}
