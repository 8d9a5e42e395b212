// What a run found, as a person reads it at a glance: of a solve, of an audit, or just the text that a node sent.
import { brief, byDepth, leakBar } from "./charts.js";
import { element } from "./dom.js";
import { say } from "./words.js";

/** The parts of a panel for a node's output. */
export function report({ text, erasepro_report: solved, erasepro_audit: audited }) {
  const plain = element("pre", {}, text.join("\n"));
  if (solved) return [...ofSolve(solved[0]), folded(plain)];
  if (audited) return [...ofAudit(audited[0]), folded(plain)];
  return [plain];
}

function folded(plain) {
  return element("details", {}, element("summary", {}, say("as text")), plain);
}

/** `limit` is the leak above which a concept counts as not erased, in the sentences it was solved on. */
function ofSolve({ concepts, leak, limit, layers, drift, moved, warnings, residual_max: residual, bytes, seconds, digest }) {
  const rows = concepts.map((concept, index) => {
    const figures = { unseen: leak.unseen[index].toFixed(3), training: leak.training[index].toFixed(3) };
    const note = say("leak 1 → {unseen} ({training} in sentences solved on)", figures);
    const wrong = leak.training[index] > limit ? say("NOT ERASED") : "";
    return row(concept, wrong, leakBar(leak.unseen[index], limit), note);
  });
  const blocks = layers.map((layer) => layer.depth).filter((depth) => depth >= 0); // the table of tokens is before all
  const layered = { count: layers.length, first: Math.min(...blocks), last: Math.max(...blocks), most: brief(residual) };
  const facts = {
    drift: Object.entries(drift).map(([group, moved]) => `${say(group)} ${moved.toFixed(3)}`).join(" · "),
    ...(moved.neighbours ? { "moved most": moved.neighbours.map(([name, by]) => `${name} ${by.toFixed(3)}`).join(" · ") } : {}),
    residual: blocks.length
      ? say("at most {most} in {count} layers, depth {first} to {last}", layered)
      : say("at most {most} in the table of tokens", layered),
    size: say("{size} MB, solved in {seconds} s", { size: (bytes / 1e6).toFixed(2), seconds: seconds.toFixed(1) }),
    digest,
  };
  const far = warnings.map((line) => element("p", { className: "erasepro-wrong" }, line));
  return [element("ul", {}, ...rows), ...far, charts(layers), table(facts)];
}

function charts(layers) {
  const residual = byDepth(say("residual (share of the gap)"), layers, (layer) => layer.all, true);
  const size = byDepth(say("size of the update"), layers, (layer) => layer.size);
  return element("div", { className: "erasepro-charts" }, residual, size);
}

function ofAudit({ erased, leak, threshold, names, groups, there, remarks }) {
  const figures = { leak: leak.toFixed(3), threshold: threshold.toFixed(2) };
  const verdict = element("strong", { className: erased ? "erasepro-well" : "erasepro-wrong" });
  verdict.textContent = erased ? say("erased") : say("NOT ERASED");
  const rows = names.map(({ name, leak }) => row(name, leak.toFixed(3), leakBar(leak, threshold, true)));
  const means = Object.fromEntries(Object.entries(groups).map(([group, mean]) => [group, mean.toFixed(3)]));
  return [
    element("p", {}, verdict, ` ${say("highest leak {leak}, threshold {threshold}", figures)}`),
    element("ul", {}, ...rows),
    table(means),
    ...there.map((line) => element("p", { className: "erasepro-wrong" }, line)),
    ...remarks.map((line) => element("p", { className: "erasepro-remark" }, line)),
  ];
}

/** A name and its figure above a bar, and what there is to say below it. */
function row(name, figure, bar, note = "") {
  const head = element("div", { className: "erasepro-head" }, element("strong", {}, name), element("span", {}, figure));
  return element("li", {}, head, bar, note);
}

function table(facts) {
  const pairs = Object.entries(facts).flatMap(([name, fact]) => [element("dt", {}, say(name)), element("dd", {}, fact)]);
  return element("dl", {}, ...pairs);
}
