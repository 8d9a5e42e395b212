// The small pictures of a report: bars for leak, and one value of every layer by depth.
import { element, shape } from "./dom.js";
import { say } from "./words.js";

const WIDTH = 220;
const HEIGHT = 104;
const LEFT = 38;
const BOTTOM = 86;
const TOP = 20;
const FLOOR = 1e-9; // a residual of exactly nothing has no logarithm

/** A leak as a bar: the whole track is 1, the concept untouched; the filled part is what is left. `limit` is marked on it. */
export function leakBar(leak, limit, marked = false) {
  const filled = element("span", { className: leak <= limit ? "" : "erasepro-much" });
  filled.style.width = share(leak);
  const bar = element("div", { className: "erasepro-bar" }, filled);
  if (!marked) return bar;
  const mark = element("i");
  mark.style.left = share(limit);
  bar.append(mark);
  return bar;
}

function share(leak) {
  return `${100 * Math.min(Math.max(leak, 0), 1)}%`;
}

/** One dot a layer: depth to the right, its value upwards. A dot's tooltip names the layer. */
export function byDepth(title, layers, value, logarithmic = false) {
  const scaled = (layer) => (logarithmic ? Math.log10(Math.max(value(layer), FLOOR)) : value(layer));
  const depths = layers.map((layer) => layer.depth);
  const heights = layers.map(scaled);
  const [first, last] = [Math.min(...depths), Math.max(...depths)];
  const top = logarithmic ? Math.ceil(Math.max(...heights, 0)) : Math.max(...heights) || 1;
  const bottom = logarithmic ? Math.floor(Math.min(...heights)) : 0;
  const x = (depth) => LEFT + 8 + ((WIDTH - LEFT - 16) * (depth - first)) / Math.max(last - first, 1);
  const y = (height) => BOTTOM - 4 - ((BOTTOM - 4 - TOP - 4) * (height - bottom)) / Math.max(top - bottom, FLOOR);
  const dots = layers.map((layer, index) =>
    shape("circle", { cx: x(layer.depth), cy: y(heights[index]), r: 3 }, tip(`${layer.name}: ${brief(value(layer))}`)),
  );
  const shown = (height) => (logarithmic ? brief(10 ** height) : brief(height));
  return shape(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "erasepro-chart" },
    shape("text", { x: LEFT, y: 11 }, title),
    shape("path", { d: `M${LEFT} ${TOP}V${BOTTOM}H${WIDTH - 4}`, class: "erasepro-axis" }),
    shape("text", { x: LEFT - 4, y: TOP + 7, "text-anchor": "end" }, shown(top)),
    shape("text", { x: LEFT - 4, y: BOTTOM - 1, "text-anchor": "end" }, shown(bottom)),
    shape("text", { x: x(first), y: HEIGHT - 6 }, first < 0 ? say("token table") : say("depth {depth}", { depth: first })),
    last > first ? shape("text", { x: x(last), y: HEIGHT - 6, "text-anchor": "end" }, String(last)) : "",
    ...dots,
  );
}

function tip(text) {
  return shape("title", {}, text);
}

/** A number with three digits, or two and a power of ten. */
export function brief(number) {
  return number !== 0 && Math.abs(number) < 1e-2 ? number.toExponential(1) : String(Number(number.toPrecision(3)));
}
