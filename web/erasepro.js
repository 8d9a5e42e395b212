// What the pack adds to the page: an editor on Define Concepts, reports and remarks on other nodes, names in its language.
// Every node works without it.
import { app } from "../../scripts/app.js";
import { hand } from "./chips.js";
import { attachEditor } from "./editor.js";
import { recall } from "./memory.js";
import { nameParts, nameType } from "./names.js";
import { attachNote, attachPanel } from "./panel.js";
import { loadWords, say } from "./words.js";

const ATTACH = {
  ErasePro_DefineConcepts: attachEditor,
  ErasePro_FindNames: (node) => attachPanel(node, say("Run to find names that you did not list."), hand),
  ErasePro_Solve: attachPanel,
  ErasePro_Audit: attachPanel,
  ErasePro_Report: attachPanel,
  ErasePro_Apply: attachNote,
  ErasePro_Save: attachNote,
  ErasePro_Guard: attachNote,
};

app.registerExtension({
  name: "erasepro.nodes",
  init: loadWords,
  beforeRegisterNodeDef(_, definition) {
    nameType(definition);
  },
  nodeCreated(node) {
    nameParts(node);
    ATTACH[node.comfyClass]?.(node);
  },
  afterConfigureGraph() {
    recall(); // the page need not wait for it
  },
});
