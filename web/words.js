// What the pack says, in the language of the page. Of its own elements the English text is the key; locales/<language>/main.json
// translates it.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const ENGLISH = "en";
let all = {};
let loading;

/** Gets the translations; an English page needs none, and waits for nothing. */
export function loadWords() {
  if (language() === ENGLISH) return null;
  loading ??= api.fetchApi("/i18n").then(async (answer) => (all = await answer.json())).catch(() => null);
  return loading;
}

function language() {
  return app.extensionManager?.setting?.get("Comfy.Locale") ?? ENGLISH;
}

/** The pack's translations of one kind, such as `nodeDefs`; none on an English page, where the texts themselves are English. */
export function texts(kind) {
  loadWords(); // the language may have changed
  return (language() !== ENGLISH && all[language()]?.[kind]) || {};
}

/** The text in the page's language; `{name}` stands for a value. */
export function say(text, values = {}) {
  const said = texts("erasepro")[text] ?? text;
  return said.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
