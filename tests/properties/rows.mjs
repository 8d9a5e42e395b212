// Answers each text on a line of JSON with the editor's rows of it, and with the text that these rows stand for.
import { createInterface } from "node:readline";
import { readText, writeText } from "../../web/lines.js";

for await (const line of createInterface({ input: process.stdin })) {
  const rows = readText(JSON.parse(line));
  console.log(JSON.stringify([rows, writeText(rows)]));
}
