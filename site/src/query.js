// What the page asks for, as core/enhance.js takes it: every option of the menu, or a refusal.

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/**
 * { options, format, quality } of [name, value] pairs; an option that is not given is its default, and
 * null where that is automatic, or the method's own.
 * @param {any} menu the site's
 * @param {[string, string][]} query
 * @param {any} [exposure] a map of stops
 */
export function readQuery(menu, query, exposure) {
  const { method = menu.default, format = "", quality, ...given } = Object.fromEntries(query.filter(([name]) => name !== "param"));
  const entry = menu.enhancers.find(({ name }) => name === method);
  if (!entry) throw new Error(`This page has no method ${method}.`);
  for (const name of Object.keys(given)) if (!entry.options.includes(name)) throw new Error(`${method} takes no ${name}.`);
  const shared = menu.options.filter(({ name }) => !["format", "quality"].includes(name));
  const values = shared.map((option) => [camel(option.name), given[option.name] === undefined ? usual(option) : read(option, given[option.name])]);
  const parameters = Object.fromEntries(entry.parameters.map((one) => [one.name, one.default]));
  for (const [, text] of query.filter(([name]) => name === "param")) {
    const [name, value] = text.split("=");
    const parameter = entry.parameters.find((one) => one.name === name);
    if (!parameter) throw new Error(`${method} has no parameter ${name}.`);
    parameters[name] = read(parameter, value);
  }
  const stops = exposure && { width: exposure.width, height: exposure.height, data: Float32Array.from(exposure.stops) };
  return { options: { method, parameters, stops, ...Object.fromEntries(values) }, format, quality: quality === undefined ? null : Number(quality) };
}

const usual = ({ name, default: value }) => (value === "auto" || name === "local" ? null : value);

function read({ name, default: usually, also, several, choices, low, high, exclusive_low: above }, text) {
  if (also.includes(text)) return null;
  if (typeof usually === "boolean") return text === "true";
  if (choices.includes(text)) return text;
  const values = text.split(several > 1 ? /[,/]/ : /$/).map((one) => (one.trim() ? Number(one) : NaN));
  const isRight = !choices.length && [1, several].includes(values.length) && values.every((value) => value >= low && value <= high && !(above && value === low));
  if (!isRight) throw new Error(`${name} must be ${choices.join(" or ") || `${above ? "above " : ""}${low} to ${high}`}, got ${text}.`);
  return several > 1 ? Array.from({ length: several }, (_, n) => values[n % values.length] / 255) : values[0];
}
