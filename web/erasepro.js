// What the pack adds to the page: an editor on Define Concepts, a report on Solve and Audit. Every node works without it.
import { app } from "../../scripts/app.js";
import { element } from "./dom.js";
import { attachEditor } from "./editor.js";
import { nameParts, nameType } from "./names.js";
import { attachPanel } from "./panel.js";

const ATTACH = {
  ErasePro_DefineConcepts: attachEditor,
  ErasePro_Solve: attachPanel,
  ErasePro_Audit: attachPanel,
};

document.head.append(element("link", { rel: "stylesheet", href: new URL("./erasepro.css", import.meta.url).href }));

app.registerExtension({
  name: "ErasePro",
  beforeRegisterNodeDef(_, definition) {
    nameType(definition);
  },
  nodeCreated(node) {
    nameParts(node);
    ATTACH[node.comfyClass]?.(node);
  },
});
