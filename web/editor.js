// The concept editor: a table over the text of Define Concepts. The text widget stays the only truth: the table is read
// from it and written to it, and the node works without this file.
import { api } from "../../scripts/api.js";
import { chips, chipsGoTo, findNames } from "./chips.js";
import { attachElement, chain, element } from "./dom.js";
import { emptyRow, moved, readText, writeLine, writeText } from "./lines.js";
import { loadPresets, withPreset } from "./presets.js";
import { say } from "./words.js";

const PAUSE = 200; // milliseconds after the last keystroke before the server is asked
const FIELDS = ["preserve", "everyday", "sentences"]; // text widgets that the editor shows as fields of its own
const COLUMNS = ["target", "aliases", "anchor"];
const LEFT_OUT = "The anchor only leaves out {words}. Pictures would still show it, so Solve may stop. Say what shall be there instead.";

/** Puts the editor on a node and takes the text widgets it replaces out of sight. */
export function attachEditor(node) {
  const editor = new ConceptEditor(node);
  const widget = attachElement(node, "concept_editor", editor.root, { width: 480, least: 190, most: 460 });
  widget.label = say("what to erase"); // shown where a workflow is a form
}

class ConceptEditor {
  constructor(node) {
    this.node = node;
    this.widgets = Object.fromEntries(node.widgets.map((widget) => [widget.name, widget]));
    this.rows = [];
    this.asked = 0;
    this.#build();
    chipsGoTo(node, this);
    for (const name of FIELDS) hide(this.widgets[name], true);
    for (const name of ["text", "kind", ...FIELDS]) this.#follow(this.widgets[name]);
    chain(node, "onConfigure", () => this.read());
    chain(node, "onConnectionsChange", () => this.read());
    this.read();
  }

  #build() {
    const heads = [...COLUMNS, "tokens"].map((name) => element("th", { scope: "col" }, say(name)));
    this.body = element("tbody");
    this.table = element("table", {}, element("thead", {}, element("tr", {}, ...heads, element("th"))), this.body);
    this.plain = element("textarea", { rows: 6, spellcheck: false, placeholder: "target | alias -> anchor" });
    this.plain.setAttribute("aria-label", say("concepts to erase, as text"));
    this.plain.addEventListener("input", () => this.#write("text", this.plain.value));
    this.asText = element("button", { type: "button", onclick: () => this.#showText(this.plain.hidden) });
    this.add = element("button", { type: "button", onclick: () => this.#insert(this.rows.length) }, say("+ add"));
    this.presets = element("select", { onchange: () => this.#usePreset() });
    this.presets.setAttribute("aria-label", say("presets"));
    this.find = element("button", { type: "button", onclick: () => this.#say(findNames(this.node)) }, say("find names"));
    this.find.title = say("Names that you did not list, from the model's own vocabulary");
    this.found = element("div");
    this.status = element("p", { role: "status" });
    this.preserve = this.#field("preserve", say("names to preserve, one a line"), 3);
    this.everyday = this.#field("everyday", say("optional: your everyday prompts, one a line"), 3);
    this.sentences = this.#field("sentences", say("optional: your sentences, one a line"), 3);
    const preserve = element("label", {}, say("preserve"), this.preserve);
    const everyday = element("details", {}, element("summary", {}, say("everyday prompts")), this.everyday);
    const sentences = element("details", {}, element("summary", {}, say("your sentences")), this.sentences);
    const tools = element("div", { className: "erasepro-tools" }, this.add, this.find, this.presets, this.asText);
    const parts = [this.table, this.plain, tools, this.status, this.found, preserve, everyday, sentences];
    this.root = element("div", { className: "erasepro-editor" }, element("div", {}, ...parts));
    this.root.addEventListener("keydown", keepFromCanvas);
    this.root.addEventListener("focusin", () => this.read());
    this.#showText(false);
    this.#fillPresets();
  }

  #field(name, placeholder, rows) {
    const field = element("textarea", { rows, placeholder, spellcheck: false });
    field.addEventListener("input", () => this.#write(name, field.value));
    return field;
  }

  /** Takes over what the widgets say, unless it is what the editor wrote itself. */
  read() {
    const linked = (name) => Boolean(this.node.inputs?.some((input) => input.name === name && input.link != null));
    this.linked = linked("text");
    this.root.classList.toggle("erasepro-linked", this.linked);
    hide(this.widgets.text, !this.linked); // what comes by wire keeps its socket
    for (const name of FIELDS) {
      hide(this.widgets[name], !linked(name));
      this[name].parentElement.hidden = linked(name);
      if (this[name].value !== this.widgets[name].value) this[name].value = this.widgets[name].value;
    }
    const text = this.widgets.text.value ?? "";
    if (this.plain.value !== text) this.plain.value = text;
    if (text !== this.text) {
      this.text = text;
      this.rows = readText(text);
      if (this.rows.every((row) => row.quiet !== undefined)) this.rows.push(emptyRow());
      this.#draw();
    }
    this.#ask();
  }

  /** Writes a widget and tells everybody who listens to it. */
  #write(name, value) {
    const widget = this.widgets[name];
    if (widget.value === value) return;
    widget.value = value;
    widget.callback?.(value);
    this.node.graph?.setDirtyCanvas(true, true);
  }

  #writeRows() {
    this.text = writeText(this.rows);
    this.#write("text", this.text);
    this.plain.value = this.text;
    this.#ask();
  }

  #follow(widget) {
    const before = widget.callback;
    widget.callback = (...values) => {
      before?.apply(widget, values);
      this.read();
    };
  }

  // -- the table

  #draw() {
    this.body.replaceChildren();
    this.rows.forEach((row, index) => {
      if (row.quiet === undefined) this.body.append(...this.#drawn(row, index));
    });
  }

  #drawn(row, index) {
    const cells = COLUMNS.map((name) => element("td", {}, this.#cell(row, index, name)));
    const tokens = element("td", { className: "erasepro-tokens" });
    const buttons = [
      ["↑", say("move up"), () => this.#move(index, -1)],
      ["↓", say("move down"), () => this.#move(index, 1)],
      ["×", say("remove"), () => this.#remove(index)],
    ].map(([sign, title, onclick]) => element("button", { type: "button", title, ariaLabel: title, onclick }, sign));
    const error = element("td", { colSpan: 5, role: "alert" });
    return [
      element("tr", {}, ...cells, tokens, element("td", { className: "erasepro-buttons" }, ...buttons)),
      element("tr", { className: "erasepro-error", hidden: true }, error),
    ];
  }

  #cell(row, index, name) {
    const cell = element("input", { type: "text", value: row[name], spellcheck: false, ariaLabel: say(name) });
    cell.dataset.column = name;
    cell.addEventListener("input", () => {
      row[name] = cell.value;
      if (name === "anchor") delete row.open;
      this.#writeRows();
    });
    cell.addEventListener("keydown", (event) => this.#key(event, index, name));
    cell.addEventListener("paste", (event) => this.#paste(event, index));
    return cell;
  }

  #key(event, index, name) {
    if (event.isComposing) return; // Enter ends the composition of Japanese or Chinese text
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) this.#insert(index + 1);
    else if (event.altKey && event.key === "ArrowUp") this.#move(index, -1, name);
    else if (event.altKey && event.key === "ArrowDown") this.#move(index, 1, name);
    else return;
    event.preventDefault();
  }

  /** A list pasted into a cell becomes rows. */
  #paste(event, index) {
    const text = event.clipboardData.getData("text/plain").trim();
    if (!/[\r\n]/.test(text)) return;
    event.preventDefault();
    const empty = !COLUMNS.some((name) => this.rows[index][name]);
    this.rows.splice(index + (empty ? 0 : 1), empty ? 1 : 0, ...readText(text));
    this.#changed(index);
  }

  #insert(index) {
    this.rows.splice(index, 0, emptyRow());
    this.#changed(index);
  }

  #remove(index) {
    this.rows.splice(index, 1);
    if (this.rows.every((row) => row.quiet !== undefined)) this.rows.push(emptyRow());
    this.#changed(Math.min(index, this.rows.length - 1));
  }

  #move(index, step, column = "target") {
    this.#changed(moved(this.rows, index, step), column);
  }

  #changed(index, column = "target") {
    this.#draw();
    this.#writeRows();
    this.#cells(column)[this.#shown().indexOf(index)]?.focus();
  }

  /** Indices of the rows that are in the table. */
  #shown() {
    return [...this.rows.keys()].filter((index) => this.rows[index].quiet === undefined);
  }

  #cells(column) {
    return this.body.querySelectorAll(`input[data-column="${column}"]`);
  }

  // -- what was found in the model

  /** Shows names of the concepts in this table that nobody listed. */
  showFound(found) {
    const mine = found.filter(({ target }) => this.#named(target));
    this.found.replaceChildren(...mine.flatMap((each) => chips(each, (...taken) => this.#take(...taken))));
  }

  #named(target) {
    return this.rows.find((row) => row.target?.toLowerCase() === target.toLowerCase());
  }

  #take(what, target, name) {
    const row = this.#named(target);
    if (what === "preserve") {
      this.#write("preserve", [this.preserve.value.trimEnd(), name].filter(Boolean).join("\n"));
      this.read();
    } else if (row) {
      row.aliases = [row.aliases, name].filter(Boolean).join(" | ");
      this.#changed(this.rows.indexOf(row), "aliases");
    }
  }

  // -- what the server says of it

  async #ask() {
    clearTimeout(this.timer);
    const turn = ++this.asked;
    this.timer = setTimeout(async () => {
      const fields = Object.fromEntries(FIELDS.map((name) => [name, this[name].value]));
      const body = JSON.stringify({ text: this.text, kind: this.widgets.kind.value, ...fields });
      const headers = { "Content-Type": "application/json" };
      const answer = await api.fetchApi("/erasepro/concepts", { method: "POST", headers, body }).catch(() => null);
      if (!answer || turn !== this.asked) return;
      if (answer.ok) this.#mark(await answer.json());
      else this.#say((await answer.json().catch(() => null))?.error ?? "", true); // such as a text that is too long
    }, PAUSE);
  }

  #mark({ lines, default_anchor: anchor, error }) {
    const shown = this.#shown();
    shown.forEach((index, place) => {
      const [row, note] = [this.body.children[2 * place], this.body.children[2 * place + 1]];
      const about = lines[index + 1] ?? { error: null, tokens: [] };
      const comment = this.rows[index].target.trimStart().startsWith("#");
      const wrong = comment ? say("A line that starts with # is a comment and erases nothing.") : about.error;
      const typed = writeLine({ ...this.rows[index], anchor: this.rows[index].anchor || anchor });
      const read = about.read && about.read !== typed ? say("Read as: {line}", { line: about.read }) : "";
      const left = about.left_out ? say(LEFT_OUT, { words: about.left_out }) : "";
      const text = wrong || [read, left].filter(Boolean).join(" ");
      note.hidden = !text;
      note.classList.toggle("erasepro-error", Boolean(wrong));
      note.firstChild.textContent = text;
      row.classList.toggle("erasepro-wrong", Boolean(wrong));
      for (const cell of row.querySelectorAll("input")) cell.ariaInvalid = String(Boolean(wrong));
      const tokens = row.querySelector(".erasepro-tokens");
      tokens.textContent = about.tokens.join(" | ");
      tokens.title = say("CLIP tokens of the target and of each alias. Other text encoders count a little differently.");
    });
    for (const cell of this.#cells("anchor")) cell.placeholder = anchor;
    this.#say(this.linked ? say("The concepts come by wire.") : error ?? "", Boolean(error));
  }

  #say(text, wrong = false) {
    this.status.textContent = text;
    this.status.classList.toggle("erasepro-wrong", wrong && !this.linked);
  }

  // -- the tools below it

  #showText(shown) {
    this.plain.hidden = !shown;
    this.table.hidden = this.add.hidden = shown;
    this.asText.textContent = shown ? say("as table") : say("as text");
  }

  async #fillPresets() {
    this.presets.append(element("option", { value: "" }, say("presets")));
    for (const [index, preset] of (await loadPresets()).entries()) {
      this.presets.append(element("option", { value: String(index) }, `${say(preset.title)} (${say(preset.kind)})`));
    }
  }

  async #usePreset() {
    const preset = (await loadPresets())[Number(this.presets.value)];
    this.presets.value = "";
    const now = Object.fromEntries(["text", "kind", "preserve"].map((name) => [name, this.widgets[name].value]));
    const untouched = this.node.constructor.nodeData?.input.required.text[1].default;
    const { replaced, ...next } = withPreset(now, preset, untouched);
    for (const [name, value] of Object.entries(next)) this.#write(name, value);
    this.read();
    if (replaced) this.#say(say("Another kind of concept stood here and was replaced; Ctrl+Z brings it back."));
  }
}

/** Takes a widget out of sight, or back; its value and its place in the file stay. */
function hide(widget, hidden) {
  widget.hidden = widget.options.hidden = hidden;
  if (hidden) widget.computeSize = () => [0, -4]; // less the gap: the canvas of older pages would leave room for it
  else delete widget.computeSize;
}

/** Letters typed here are no shortcuts of the canvas; Ctrl+Enter still queues the graph. */
function keepFromCanvas(event) {
  if (!(event.ctrlKey || event.metaKey) || !["Enter", "s", "z", "y"].includes(event.key)) event.stopPropagation();
}
