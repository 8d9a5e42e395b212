// Opens a workflow in ComfyUI's page, as a user who drops the file on the canvas, and saves what the page then shows.
//
//   node screenshot.mjs URL workflow.json out.png [seconds to wait] [--queue]
//
// With --queue it presses Run and waits until the queue is empty. Needs `npm install` in this folder and Debian's chromium
// (or CHROMIUM naming another executable).

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const USAGE = "usage: node screenshot.mjs URL workflow.json out.png [seconds to wait] [--queue]";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const RUN_TIMEOUT = 600_000;

/** Marks ComfyUI's welcome tour as seen: its dialog would cover the canvas. */
async function skipTour(url) {
  const request = { method: "POST", body: "true" };
  await fetch(`${url}/api/settings/Comfy.TutorialCompleted`, request).catch(() => {
    throw new Error(`${url} does not answer. Start ComfyUI first, for instance with: make ui`);
  });
}

/** The page, with its canvas and its extensions loaded. */
async function openPage(browser, url) {
  const page = await browser.newPage({ viewport: { width: 1680, height: 1000 } });
  page.on("pageerror", (error) => console.error(`page: ${error.message}`));
  await page.goto(url);
  await page.waitForFunction(() => window.app?.extensionManager && window.app.graph?.nodes, null, { timeout: 60_000 });
  await page.locator("#graph-canvas").waitFor();
  await page.getByTestId("queue-button").waitFor();
  await closeBanner(page);
  return page;
}

/** Closes the announcement above the tabs, where a frontend shows one. Its other button would switch the design. */
async function closeBanner(page) {
  const banner = page.getByText("Introducing Nodes 2.0").locator("xpath=ancestor::*[count(.//button) > 1][1]");
  if (await banner.count()) await banner.getByRole("button").filter({ hasNotText: /\w/ }).click();
}

/** Drops the workflow on the canvas and waits until its nodes stand there. */
async function dropWorkflow(page, text) {
  await page.evaluate((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "workflow.json", { type: "application/json" }));
    window.app.graph.clear();
    document.querySelector("#graph-canvas").dispatchEvent(
      new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }),
    );
  }, text);
  const wanted = JSON.parse(text).nodes.length;
  await page.waitForFunction((wanted) => window.app.graph.nodes.length === wanted, wanted, { timeout: 30_000 });
  await page.keyboard.press(".");  // fits the whole graph into the view
}

/** Presses Run and waits until the run has begun and nothing is left to do. */
async function runGraph(page, url) {
  const finished = async () => Object.keys(await (await fetch(`${url}/history`)).json()).length;
  const before = await finished();
  await page.getByTestId("queue-button").click();
  const deadline = Date.now() + RUN_TIMEOUT;
  while (Date.now() < deadline) {
    await page.waitForTimeout(250);
    const queue = await (await fetch(`${url}/queue`)).json();
    const idle = !queue.queue_running.length && !queue.queue_pending.length;
    if (idle && (await finished()) > before) return;
  }
  throw new Error("The run did not end in time.");
}

async function main() {
  const { values, positionals } = parseArgs({ options: { queue: { type: "boolean" } }, allowPositionals: true });
  const [url, workflow, picture, seconds = "1"] = positionals;
  if (!picture) throw new Error(USAGE);
  await skipTour(url);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  try {
    const page = await openPage(browser, url);
    await dropWorkflow(page, await readFile(workflow, "utf8"));
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
