// What is said about faces beside the photo: how many there are, and whether there may be more.

import { capital, make } from "./dom.js";
import { isSeen } from "./viewer.js";

// "6 faces: 2 as it is, 4 in the dark parts", each with the colour of its boxes; and the engine's
// warning where it is too dark to be sure that these are all.
export function tally({ faces, warning }) {
  const unsure = warning ? [make("span", { className: "unsure" }, `${capital(warning)}.`)] : [];
  const count = make("b", {}, `${faces.length || "No"} face${faces.length === 1 ? "" : "s"}`);
  if (!faces.length) return [count, " found", ...unsure];
  const seen = faces.filter(isSeen).length;
  const part = (number, text, kind) => make("span", { className: `dot ${kind}` }, make("b", {}, String(number)), ` ${text}`);
  return [count, part(seen, "in the photo as it is", "seen"), part(faces.length - seen, "more in its dark parts", "dark"), ...unsure];
}
