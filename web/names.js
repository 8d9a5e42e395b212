// Names and tooltips of our nodes, in the language of the page.
//
// The page reads locales/<language>/nodeDefs.json by itself, but the one that comes with ComfyUI 0.3.75 loads its own texts
// of the language later and thereby drops those of all packs. So ours also go where a page looks when it knows no
// translation: into the definition of a node type, and onto its sockets and widgets.
import { texts } from "./words.js";

/** Title, description and tooltips of a node type, before it is registered. */
export function nameType(definition) {
  const said = texts("nodeDefs")[definition.name];
  if (!said) return;
  Object.assign(definition, { display_name: said.display_name, description: said.description });
  for (const group of [definition.input.required, definition.input.optional]) {
    for (const [name, spec] of Object.entries(group ?? {})) {
      if (spec[1]) spec[1].tooltip = said.inputs[name]?.tooltip ?? spec[1].tooltip;
    }
  }
}

/** Names of the sockets and widgets of a new node. */
export function nameParts(node) {
  const said = texts("nodeDefs")[node.comfyClass];
  if (!said) return;
  for (const input of node.inputs ?? []) input.localized_name = said.inputs[input.name]?.name ?? input.localized_name;
  for (const widget of node.widgets ?? []) widget.label = said.inputs[widget.name]?.name ?? widget.label;
  node.outputs?.forEach((output, index) => (output.localized_name = said.outputs[index]?.name ?? output.localized_name));
}
