// The engine that the page asks: the service's. A build for the visitor's own device puts another
// one in this file's place (site/).

export { engine } from "./http.js";
