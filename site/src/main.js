// The page, with this device as its engine.

import "../../src/relume/web/static/app.js";
import "./shell.js";
