// The report panel: how far a run of its node is, and then what the run found.
import { api } from "../../scripts/api.js";
import { attachElement, chain, element } from "./dom.js";
import { nodeOf } from "./graph.js";
import { remember } from "./memory.js";
import { report } from "./report.js";
import { say } from "./words.js";

const EVENT = "erasepro.progress"; // nodes/host/progress.py sends it

/** Puts a panel on a node and fills it from the node's output; names that were found go on to `hand`. */
export function attachPanel(node, before = say("Run to see what is erased, and what else moves."), hand = undefined) {
  const show = makePanel(node, { width: 380, least: 130, most: 460 });
  show(element("p", {}, before));
  remember(node, (output) => {
    if (output.text) show(...report(output));
    if (output.erasepro_names) hand?.(node, output.erasepro_names[0]);
  });
  follow(node, show);
}

/** The same for a node that seldom has something to say: the panel comes with the first text. */
export function attachNote(node) {
  let show;
  remember(node, (output) => {
    if (output.text) show ??= makePanel(node, { width: 0, least: 40, most: 200 });
    show?.(...(output.text ? report(output) : []));
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

/** Shows how far a run of this node is, and why it failed. */
function follow(node, show) {
  let began; // when the first step of the run was heard of, and which one it was
  const events = {
    progress_state({ detail }) {
      const mine = Object.values(detail.nodes).find((state) => nodeOf(state.real_node_id ?? state.node_id) === node);
      if (mine?.state !== "running") began = undefined;
      else if (!began) show(...progress(say("reading the model")));
    },
    [EVENT]({ detail }) {
      if (nodeOf(detail.node) !== node) return;
      began ??= { time: performance.now(), value: detail.value };
      show(...progress(say(detail.phase), detail, began));
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

/** The phase of a run, its step and layer, and about how long it will take; a phase of one step has no end in sight. */
function progress(phase, { value = 0, max = 1, layer = "" } = {}, began = undefined) {
  if (max <= 1) return [element("p", {}, phase), element("progress", { ariaLabel: phase })];
  const step = say("step {value} of {max}", { value, max });
  const parts = [element("p", {}, `${phase} · ${step}`), element("progress", { value, max, ariaLabel: `${phase}, ${step}` })];
  const notes = [layer, left(value, max, began)].filter(Boolean).join(" · ");
  return notes ? [...parts, element("p", { className: "erasepro-remark" }, notes)] : parts;
}

/** About how long the rest will take, if its steps take as long as those since the run was first heard of. */
function left(value, max, began) {
  if (value <= began.value || value === max) return "";
  const seconds = ((performance.now() - began.time) / 1000 / (value - began.value)) * (max - value);
  return seconds < 90
    ? say("about {seconds} s left", { seconds: Math.max(1, Math.round(seconds)) })
    : say("about {minutes} min left", { minutes: Math.round(seconds / 60) });
}
