// Opens a workflow in ComfyUI's page, as a user who drops the file on the canvas, and saves what the page then shows.
//
//   build/playwright/node tests/browser/screenshot.mjs URL workflow.json out.png [seconds to wait] [--queue]
//
// With --queue it presses Run and waits until the queue is empty. `make browser` installs what it needs; CHROMIUM names
// another executable than Debian's.

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { dropWorkflow, fit, launch, openPage, runGraph } from "./page.mjs";

const USAGE = "usage: node screenshot.mjs URL workflow.json out.png [seconds to wait] [--queue]";

async function main() {
  const { values, positionals } = parseArgs({ options: { queue: { type: "boolean" } }, allowPositionals: true });
  const [url, workflow, picture, seconds = "1"] = positionals;
  if (!picture) throw new Error(USAGE);
  const browser = await launch();
  try {
    const page = await openPage(browser, url);
    await dropWorkflow(page, await readFile(workflow, "utf8"));
    await fit(page);
    if (values.queue) await runGraph(page, url);
    await page.waitForTimeout(Number(seconds) * 1000);
    await page.screenshot({ path: picture });
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
