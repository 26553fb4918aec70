// The page's script, the site's and their tools: what ESLint recommends, and a little more.

import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["site/dist/**", "site/node_modules/**"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: "latest", sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      "consistent-return": "error",
      eqeqeq: "error",
      "no-constructor-return": "error",
      "no-else-return": "error",
      "no-implicit-coercion": "error",
      "no-self-compare": "error",
      "no-shadow": ["error", { allow: ["plan"] }],
      "no-unused-expressions": ["error", { allowShortCircuit: true, allowTernary: true }],
      "no-useless-return": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-arrow-callback": "error",
      "prefer-const": "error",
      "require-atomic-updates": "off",
    },
  },
  { files: ["src/relume/web/static/**", "site/src/**"], languageOptions: { globals: globals.browser } },
  { files: ["src/relume/web/static/theme.js"], languageOptions: { sourceType: "script" } },
  { files: ["site/src/worker.js"], languageOptions: { globals: globals.worker } },
  { files: ["site/src/sw.js"], languageOptions: { globals: globals.serviceworker } },
  { files: ["site/*.js", "site/test/**"], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
];
