// What the pack's own elements say, in the language of the page. The English text is the key; locales/<language>/main.json
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

/** The text in the page's language; `{name}` stands for a value. */
export function say(text, values = {}) {
  const language = app.extensionManager?.setting?.get("Comfy.Locale") ?? "en";
  const said = all[language]?.erasepro?.[text] ?? text;
  return said.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
