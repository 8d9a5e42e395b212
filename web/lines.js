// A concept text as rows and back. The text is what counts: a line that is not understood stays as it was typed.

const ARROW = "->";
// How lines are split, as erasepro_core/marks.py splits them. What stands around a single name is read by the server.
const SPACE = "[\\t\\x1f \\xa0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000]";
const LINE_ENDS = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;
const INVISIBLE =
  /[\xad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]|(?<![^\0-\u024f])[\u200c\u200d]|[\u200c\u200d](?![^\0-\u024f])/g;
const ARROWS = /(?<![-\uff0d\u2010-\u2015\u2212\u30fc=\uff1d])[-\uff0d\u2010-\u2015\u2212\u30fc=\uff1d]+[>\uff1e]|[→⇒⟶⟹➔➙➛➜➝➞➡⇨↦]\ufe0f?/;
const BARS = /[|\uff5c\uffe8│∣¦]/;
const COMMENT = new RegExp(`^${SPACE}*(?:[#\uff03]|//).*|(?<!${SPACE})${SPACE}+(?:[#\uff03]|//)(?:${SPACE}.*)?$`);
const LIST_MARK = new RegExp(
  `^(?:${SPACE}*(?:(?:[-*+•‣◦▪●○■□·・–—]|\\(?\\d{1,2}[.)．）])${SPACE}+|[•・●]|\\d{1,2}、|[①-⑳])${SPACE}*)+`,
);

const AROUND = /^[\s\x1c-\x1f\x85]+|[\s\x1c-\x1f\x85]+$/g;

function trim(text) {
  return text.replace(AROUND, "");
}

/** What a line says: without comment, list mark and characters that cannot be seen. */
export function said(line) {
  let left = line.replace(INVISIBLE, "").replace(COMMENT, "");
  return trim(left.replace(LIST_MARK, "").replace(COMMENT, ""));
}

/** One line. Lines that say nothing (blank, comment) keep their text in `quiet`; `open` is an arrow with nothing behind. */
export function readLine(line) {
  const content = said(line);
  if (!content) return { quiet: line };
  const arrow = content.match(ARROWS);
  const [left, anchor] = arrow
    ? [content.slice(0, arrow.index), content.slice(arrow.index + arrow[0].length)]
    : [content, ""];
  const [target, ...aliases] = left.split(BARS).map(trim);
  const row = { target, aliases: aliases.join(" | "), anchor: trim(anchor) };
  return arrow && !row.anchor ? { ...row, open: true } : row;
}

/** The line of a row, as it stands in the text. */
export function writeLine(row) {
  if (row.quiet !== undefined) return row.quiet;
  const aliases = row.aliases.split(BARS).map(trim).filter(Boolean);
  const names = [trim(row.target), ...aliases].join(" | ");
  const anchor = trim(row.anchor);
  return anchor || row.open ? trim(`${names} ${ARROW} ${anchor}`) : names;
}

/** One row a line. */
export function readText(text) {
  return text.split(LINE_ENDS).map(readLine);
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
