// The API's description, drawn from /openapi.json: works without a network.

import { byId } from "./api.js";
import { make } from "./settings.js";

function allowed(schema = {}) {
  if (schema.anyOf) return schema.anyOf.map(allowed).join(", or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.minimum !== undefined) return `${schema.type}, ${schema.minimum} to ${schema.maximum}`;
  if (schema.items) return `${allowed(schema.items)}, repeated`;
  return schema.type ?? "";
}

const table = (rows) => make("table", {}, make("tbody", {},
  ...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, ...[cell].flat()))))));

function parameter({ name, description, schema }) {
  const standard = schema?.default === undefined ? "" : ` (default ${JSON.stringify(schema.default)})`;
  return [name, [description ?? "", make("small", {}, allowed(schema) + standard)]];
}

function example(path, verb, operation) {
  const token = operation.security && path !== "/healthz" ? "-H 'Authorization: Bearer TOKEN' " : "";
  const address = `${token}${location.origin}${path}`;
  if (verb === "get") return `curl ${address}`;
  const types = Object.keys(operation.responses?.["200"]?.content ?? {});
  return `curl -F file=@night.jpg ${address}${types.some((t) => t.startsWith("image/")) ? " -o answer.jpg" : ""}`;
}

function section(path, verb, operation) {
  const parts = [make("p", {}, (operation.description ?? "").replaceAll("`", "")), make("h3", {}, "Example"), make("pre", {}, example(path, verb, operation))];
  if (operation.parameters?.length) parts.push(make("h3", {}, "Options"), table(operation.parameters.map(parameter)));
  if (operation.requestBody) {
    const types = Object.keys(operation.requestBody.content).join(", ");
    parts.push(make("h3", {}, "Body"), make("p", {}, types));
  }
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) =>
    [status, [answer.description, make("small", {}, Object.keys(answer.content ?? {}).join(", "))]]);
  parts.push(make("h3", {}, "Answers"), table(answers));
  const head = make("header", {}, make("span", { className: "verb" }, verb.toUpperCase()),
    make("span", { className: "path" }, path), make("h2", {}, operation.summary ?? ""));
  return make("article", { id: operation.operationId }, head, make("div", {}, ...parts));
}

const room = byId("docs");
try {
  const api = await (await fetch("/openapi.json")).json();
  const sections = Object.entries(api.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => section(path, verb, operation)));
  room.replaceChildren(
    make("h1", {}, `${api.info.title} API`), make("p", { className: "lead" }, api.info.description.replaceAll("`", "")), ...sections);
} catch {
  room.replaceChildren(make("p", {}, "The description cannot be loaded: /openapi.json does not answer."));
}
room.setAttribute("aria-busy", "false");
