// Which node on the page a run speaks of.
import { app } from "../../scripts/app.js";

/** The node with an id of a run: `5`, or `3:5` for node 5 inside the subgraph that node 3 stands for. */
export function nodeOf(id) {
  let graph = app.rootGraph ?? app.graph?.rootGraph ?? app.graph;
  let node;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(part) ?? graph?.getNodeById(Number(part));
    graph = node?.subgraph;
  }
  return node;
}
