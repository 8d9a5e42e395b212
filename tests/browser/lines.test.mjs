// The concept editor's rows and the text they stand for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { moved, readLine, readText, writeLine, writeText } from "../../web/lines.js";
import { withPreset } from "../../web/presets.js";

test("a line is a target, its aliases and its anchor", () => {
  assert.deepEqual(readLine("Van Gogh | Vincent |V. -> an artist"), {
    target: "Van Gogh",
    aliases: "Vincent | V.",
    anchor: "an artist",
  });
});

test("rows and text stand for each other, comments and blank lines included", () => {
  const text = "# old masters\n\nRembrandt | Rembrandt van Rijn -> art\nVermeer";
  assert.equal(writeText(readText(text)), text);
});

test("what is not understood is kept as it was typed", () => {
  assert.equal(writeLine(readLine("a -> b -> c")), "a -> b -> c");
  assert.equal(writeLine(readLine("-> b")), "-> b");
  assert.equal(writeLine(readLine("a ->")), "a ->");
});

test("an empty anchor leaves the arrow out, which takes the kind's own anchor", () => {
  assert.equal(writeLine({ target: "cat", aliases: " kitten ||", anchor: " " }), "cat | kitten");
});

test("rows move past comments and stop at the ends", () => {
  const rows = readText("a\n# note\nb");
  assert.equal(moved(rows, 0, 1), 2);
  assert.equal(writeText(rows), "b\n# note\na");
  assert.equal(moved(rows, 2, 1), 2);
  assert.equal(moved(rows, 0, -1), 0);
});

const PRESET = { kind: "style", concepts: ["Monet -> art", "Sisley -> art"], preserve: ["Turner"] };

test("a preset is added to concepts of its kind, each line once", () => {
  const now = { text: "Monet -> art", kind: "style", preserve: "Turner" };
  const next = withPreset(now, PRESET, "default");
  assert.deepEqual(next, { text: "Monet -> art\nSisley -> art", kind: "style", preserve: "Turner", replaced: false });
});

test("a preset replaces concepts of another kind, which its sentences would not fit, and says so", () => {
  const next = withPreset({ text: "cat -> dog", kind: "object", preserve: "" }, PRESET, "default");
  assert.deepEqual(next, { text: "Monet -> art\nSisley -> art", kind: "style", preserve: "Turner", replaced: true });
});

test("the text a new node comes with makes room for a preset", () => {
  const next = withPreset({ text: "default", kind: "object", preserve: "" }, PRESET, "default");
  assert.equal(next.replaced, false);
  assert.equal(next.text, "Monet -> art\nSisley -> art");
});
