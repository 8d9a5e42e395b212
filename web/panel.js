// The report panel: how far a running solve is, and then what the erasure does.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { attachElement, chain, element } from "./dom.js";
import { report } from "./report.js";
import { say } from "./words.js";

/** Puts a panel on a node and fills it from the node's output. */
export function attachPanel(node) {
  const show = makePanel(node, { width: 380, least: 130, most: 460 });
  show(element("p", {}, say("Run to see what is erased, and what else moves.")));
  chain(node, "onExecuted", (output) => output?.text && show(...report(output)));
  follow(node, show);
}

/** The same for a node that seldom has something to say: the panel comes with the first text. */
export function attachNote(node) {
  let show;
  chain(node, "onExecuted", (output) => {
    if (output?.text) show ??= makePanel(node, { width: 0, least: 40, most: 200 });
    show?.(...(output?.text ? report(output) : []));
  });
}

/** An empty panel on a node; what it returns fills it. */
function makePanel(node, size) {
  const content = element("div");
  const root = element("div", { className: "erasepro-panel", tabIndex: 0 }, content);
  root.setAttribute("aria-label", say("Report of the erasure"));
  root.dataset.erasepro = node.comfyClass;
  attachElement(node, "report", root, size);
  return (...parts) => content.replaceChildren(...parts);
}

/** Shows the host's progress of this node, and why a run of it failed. */
function follow(node, show) {
  const events = {
    progress_state({ detail }) {
      const mine = Object.values(detail.nodes).find((state) => nodeOf(state.real_node_id ?? state.node_id) === node);
      if (mine?.state === "running") show(...progress(mine.value, mine.max));
    },
    execution_error({ detail }) {
      if (nodeOf(detail.node_id) === node) show(element("p", { className: "erasepro-wrong" }, detail.exception_message));
    },
    execution_interrupted({ detail }) {
      if (nodeOf(detail.node_id) === node) show(element("p", {}, say("Stopped. Nothing was changed.")));
    },
  };
  for (const [name, listener] of Object.entries(events)) api.addEventListener(name, listener);
  chain(node, "onRemoved", () => {
    for (const [name, listener] of Object.entries(events)) api.removeEventListener(name, listener);
  });
}

function progress(value, max) {
  const started = max > 1;
  const words = started ? say("layer {value} of {max}", { value, max }) : say("reading the model");
  return [element("p", {}, words), element("progress", started ? { value, max, ariaLabel: words } : { ariaLabel: words })];
}

/** The node with an id of a run: `5`, or `3:5` for node 5 inside the subgraph that node 3 stands for. */
function nodeOf(id) {
  let graph = app.rootGraph ?? app.graph?.rootGraph ?? app.graph;
  let node;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(part) ?? graph?.getNodeById(Number(part));
    graph = node?.subgraph;
  }
  return node;
}
