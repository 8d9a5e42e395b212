// Lists of concepts to start from, in presets.json.

let presets;

/** All presets; none when the file cannot be read. */
export function loadPresets() {
  presets ??= fetch(new URL("./presets.json", import.meta.url))
    .then((answer) => answer.json())
    .catch(() => []);
  return presets;
}

/** What the widgets say with a preset added. One node has one kind: concepts of another kind are replaced. */
export function withPreset(now, preset, untouched) {
  const empty = !now.text.trim() || now.text === untouched;
  const replaced = !empty && now.kind !== preset.kind;
  const keep = !empty && !replaced;
  return {
    kind: preset.kind,
    text: joined(keep ? now.text : "", preset.concepts),
    preserve: joined(now.preserve, preset.preserve ?? []),
    replaced,
  };
}

/** The lines of a text and those it does not have yet. */
function joined(text, lines) {
  const known = text.split("\n").filter((line) => line.trim());
  return [...known, ...lines.filter((line) => !known.includes(line))].join("\n");
}
