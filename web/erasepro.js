// Shows the report of a solve on its node. Everything else works without this file.
import { app } from "../../scripts/app.js";

const REPORTING = new Set(["ErasePro_Solve"]);
const EMPTY = "Run to see what is erased, and what else moves.";
const MIN_HEIGHT = 130;

function reportElement() {
  const element = document.createElement("pre");
  element.textContent = EMPTY;
  element.setAttribute("aria-label", "Report of the erasure");
  Object.assign(element.style, {
    margin: "0",
    padding: "6px 8px",
    overflow: "auto",
    whiteSpace: "pre-wrap",
    overflowWrap: "anywhere",
    fontSize: "11px",
    lineHeight: "1.45",
    borderRadius: "4px",
    color: "var(--input-text)",
    background: "var(--comfy-input-bg)",
  });
  return element;
}

app.registerExtension({
  name: "ErasePro.Report",
  nodeCreated(node) {
    if (!REPORTING.has(node.comfyClass)) return;
    const element = reportElement();
    const options = { serialize: false, getMinHeight: () => MIN_HEIGHT };
    const widget = node.addDOMWidget("report", "erasepro_report", element, options);
    widget.serialize = false;
    const before = node.onExecuted;
    node.onExecuted = function (output) {
      before?.apply(this, arguments);
      element.textContent = output?.text?.join("\n") || EMPTY;
    };
  },
});
