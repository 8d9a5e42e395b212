// What Find Names found, as chips in Define Concepts: a click makes a name an alias, or a preserve.
import { app } from "../../scripts/app.js";
import { element } from "./dom.js";
import { say } from "./words.js";

const FINDER = "ErasePro_FindNames";
const DEFINER = "ErasePro_DefineConcepts";
const editors = new WeakMap();

/** Makes an editor known as that of its node. */
export function chipsGoTo(node, editor) {
  editors.set(node, editor);
}

/** Shows a finding in every editor that its concepts come from. */
export function hand(finder, found) {
  let node = source(finder, "concepts");
  for (let depth = 0; node?.comfyClass === DEFINER && depth < 100; depth++) {
    editors.get(node)?.showFound(found);
    node = source(node, "more_concepts");
  }
}

/** The chips of one concept. A name that was taken leaves; a list without names is left out. */
export function chips({ target, likely, near }, take) {
  const lists = [
    ["alias", say("{target} may also be called", { target }), likely],
    ["preserve", say("similar to {target}, to preserve", { target }), near],
  ];
  return lists.filter(([, , names]) => names.length).map(([what, title, names]) => {
    const buttons = names.map(([name, score]) => {
      const button = element("button", { type: "button", className: "erasepro-chip" }, `+ ${name} ${score.toFixed(2)}`);
      button.dataset.take = what;
      button.addEventListener("click", () => {
        button.remove();
        take(what, target, name);
      });
      return button;
    });
    return element("p", { className: "erasepro-chips" }, element("span", {}, `${title}:`), ...buttons);
  });
}

/** Runs the Find Names that reads this node's concepts; one is made where there is none. Says what is missing. */
export function findNames(node) {
  const all = readers(node);
  const finder = all.find((each) => each.comfyClass === FINDER) ?? made(node, all);
  if (!finder) return say("Connect these concepts to ErasePro Solve first: it says which model is meant.");
  app.queuePrompt(0, 1, [String(finder.id)]);
  return say("Reading the model's vocabulary; names that it finds come below.");
}

/** A Find Names beside the node, with the model and the clip of whoever else reads its concepts. */
function made(node, all) {
  const other = all.find((each) => source(each, "model") && source(each, "clip"));
  if (!other) return undefined;
  const finder = globalThis.LiteGraph.createNode(FINDER);
  finder.pos = [node.pos[0], node.pos[1] + node.size[1] + 200]; // the chips will make the node above it longer
  node.graph.add(finder);
  node.connect(0, finder, slot(finder, "concepts"));
  for (const name of ["model", "clip"]) {
    const link = linkOf(other, name);
    source(other, name).connect(link.origin_slot, finder, slot(finder, name));
  }
  return finder;
}

/** Every node that reads the concepts of a node, through other Define Concepts as well. */
function readers(node, found = new Set()) {
  for (const id of node.outputs[0].links ?? []) {
    const reader = node.graph.getNodeById(node.graph.links[id]?.target_id);
    if (!reader || found.has(reader)) continue;
    found.add(reader);
    if (reader.comfyClass === DEFINER) readers(reader, found);
  }
  return [...found];
}

function slot(node, name) {
  return node.inputs.findIndex((input) => input.name === name);
}

function linkOf(node, name) {
  return node.graph?.links[node.inputs?.[slot(node, name)]?.link];
}

/** The node that an input gets its value from. */
function source(node, name) {
  return node.graph?.getNodeById(linkOf(node, name)?.origin_id);
}
