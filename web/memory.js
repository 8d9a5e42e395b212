// What earlier runs found. A page that is loaded again, another tab, a picture or an entry of the queue's history bring a
// graph back without its results; ComfyUI still has them, as long as it keeps the run in its history.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { chain } from "./dom.js";
import { nodeOf } from "./graph.js";

const RUNS = 64; // so many of the latest runs are looked through

/** How each node that has shown nothing yet shows an output. */
const silent = new Map();

/** Shows every output that a node gives from now on, and what an earlier run of the same graph gave when it is loaded. */
export function remember(node, show) {
  silent.set(node, show);
  chain(node, "onExecuted", (output) => {
    silent.delete(node);
    if (output) show(output);
  });
  chain(node, "onRemoved", () => silent.delete(node));
}

/** Shows what the latest run with the same inputs found, on each node of a graph that has just been loaded. */
export async function recall() {
  if (!silent.size) return;
  const runs = await finishedRuns();
  if (!runs.some(({ outputs }) => Object.keys(outputs).some((id) => silent.has(nodeOf(id))))) return;
  const prompt = (await app.graphToPrompt()).output;
  for (const id of Object.keys(prompt)) {
    const node = nodeOf(id);
    const asked = silent.has(node) && written(upstream(prompt, id));
    const run = asked && runs.find((run) => run.outputs[id] && written(upstream(run.prompt[2], id)) === asked);
    if (run) silent.get(node)?.(run.outputs[id]);
  }
}

/** The latest first. */
async function finishedRuns() {
  const answer = await api.fetchApi(`/history?max_items=${RUNS}`).catch(() => null);
  return answer?.ok ? Object.values(await answer.json()).reverse() : [];
}

/** Everything that decides what a node of a prompt gives: the node, and all that it gets its inputs from. */
function upstream(prompt, id, found = {}) {
  if (!prompt[id] || id in found) return found;
  const { class_type: type, inputs } = prompt[id];
  found[id] = { type, inputs };
  for (const input of Object.values(inputs)) {
    if (Array.isArray(input)) upstream(prompt, String(input[0]), found);
  }
  return found;
}

/** The same text for the same values, in whatever order they stand. */
function written(value) {
  return JSON.stringify(value, (_, part) =>
    part && typeof part === "object" && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort()) : part,
  );
}
