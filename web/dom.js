// How this pack makes elements, and puts them on nodes. Text goes in as text, never as HTML.
import { STYLE } from "./style.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with its properties set and its children appended; strings become text. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** The same for SVG, where everything is an attribute. */
export function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Puts an element with one child on a node, below its widgets; returns its widget. It grows with the child up to `most`. */
export function attachElement(node, name, root, { width, least, most }) {
  const [content] = root.children;
  root.append(element("style", {}, STYLE)); // here, and not in the page's head, which is everybody's
  const getMinHeight = () => Math.min(Math.max(content.offsetHeight + 20, least), most);
  const widget = node.addDOMWidget(name, `erasepro_${name}`, root, { serialize: false, getMinHeight });
  widget.serialize = false;
  node.setSize([Math.max(node.size[0], width), node.computeSize()[1]]);
  const observer = new ResizeObserver(() => grow(node, root));
  observer.observe(content);
  chain(node, "onRemoved", () => observer.disconnect());
  return widget;
}

/** Makes room on the canvas; nodes that are HTML themselves (Nodes 2.0) grow by themselves. */
function grow(node, root) {
  if (!node.graph || node.collapsed || !root.offsetHeight || root.closest("[data-node-id]")) return;
  const needed = node.computeSize()[1];
  if (needed > node.size[1]) node.setSize([node.size[0], needed]);
  node.graph.setDirtyCanvas(true, true);
}

/** Runs `then` after a node's own handler. */
export function chain(node, name, then) {
  const before = node[name];
  node[name] = function (...values) {
    const result = before?.apply(this, values);
    then(...values);
    return result;
  };
}
