// What the pack says, in the language of the page. Of its own elements the English text is the key; locales/<language>/main.json
// translates it.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

async function translations() {
  try {
    return await (await api.fetchApi("/i18n")).json();
  } catch {
    return {};
  }
}

const all = await translations();

/** The pack's translations of one kind, such as `nodeDefs`; none on an English page, where the texts themselves are English. */
export function texts(kind) {
  const language = app.extensionManager?.setting?.get("Comfy.Locale") ?? "en";
  return (language !== "en" && all[language]?.[kind]) || {};
}

/** The text in the page's language; `{name}` stands for a value. */
export function say(text, values = {}) {
  const said = texts("erasepro")[text] ?? text;
  return said.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
