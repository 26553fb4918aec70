// Small words for the document.

/**
 * The page's element of this id, which is there; `kind` for types, where it is no input or button.
 * @template {HTMLElement} [Kind=HTMLInputElement]
 * @param {string} id
 * @param {new () => Kind} [kind]
 * @returns {Kind}
 */
// eslint-disable-next-line no-unused-vars
export const byId = (id, kind) => /** @type {Kind} */ (document.getElementById(id));

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/**
 * A new element with these properties and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<Record<keyof HTMLElementTagNameMap[Tag], any>>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// A range's track is drawn full up to its thumb.
/**
 * A picture drawn into a canvas of this size.
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 */
export function drawn(source, width, height) {
  const canvas = make("canvas", { width: Math.max(1, width), height: Math.max(1, height) });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * A canvas as a file, or null where the browser cannot pack it.
 * @param {HTMLCanvasElement} canvas
 * @param {string} name
 * @param {string} type
 * @param {number} [quality]
 * @returns {Promise<File | null>}
 */
export async function packed(canvas, name, type, quality) {
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve, type, quality); });
  return blob && new File([blob], name, { type });
}

/** @param {HTMLInputElement} range */
export function fillTrack(range) {
  const [value, min, max] = [range.value, range.min, range.max].map(Number);
  const share = (value - min) / (max - min || 1);
  range.style.setProperty("--fill", `${share * 100}%`);
}
