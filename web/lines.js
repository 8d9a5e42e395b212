// A concept text as rows and back. The text is what counts: a line that is not understood stays as it was typed.

const ARROW = "->";
// What parts lines and what counts as space, as in erasepro_core/concept_text.py.
const BREAK = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;
const SPACE = "[\\s\\x1c-\\x1f\\x85]+";
const AROUND = new RegExp(`^${SPACE}|${SPACE}$`, "g");

function trim(text) {
  return text.replace(AROUND, "");
}

/** One line. Lines that say nothing (blank, comment) keep their text in `quiet`. */
export function readLine(line) {
  if (!trim(line) || trim(line).startsWith("#")) return { quiet: line };
  const at = line.indexOf(ARROW);
  const [left, anchor] = at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + ARROW.length)];
  const [target, ...aliases] = left.split("|").map(trim);
  return { target, aliases: aliases.join(" | "), anchor: trim(anchor) };
}

/** The line of a row, as it stands in the text. */
export function writeLine(row) {
  if (row.quiet !== undefined) return row.quiet;
  const aliases = row.aliases.split("|").map(trim).filter(Boolean);
  const names = [trim(row.target), ...aliases].join(" | ");
  const anchor = trim(row.anchor);
  return anchor ? trim(`${names} ${ARROW} ${anchor}`) : names;
}

/** One row a line. */
export function readText(text) {
  return text.split(BREAK).map(readLine);
}

export function writeText(rows) {
  return rows.map(writeLine).join("\n");
}

/** A row to type into. */
export function emptyRow() {
  return { target: "", aliases: "", anchor: "" };
}

/** Exchanges a row with the next one that says something, up (-1) or down (1); comments stay where they are. */
export function moved(rows, index, step) {
  let other = index + step;
  while (rows[other]?.quiet !== undefined) other += step;
  if (!rows[other]) return index;
  [rows[index], rows[other]] = [rows[other], rows[index]];
  return other;
}
