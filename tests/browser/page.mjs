// ComfyUI's page in headless Chromium: opened, filled and run as a person would.

import { chromium } from "playwright-core";

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
/** Fresh CI machines are slow: a step that takes longer than this hangs. */
export const PATIENCE = 90_000;
const RUN_TIMEOUT = 600_000;

export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** Stores a setting of ComfyUI's page before it is opened. */
export async function setting(url, name, value) {
  const request = { method: "POST", body: JSON.stringify(value) };
  await fetch(`${url}/api/settings/${name}`, request).catch(() => {
    throw new Error(`${url} does not answer. Start ComfyUI first, for instance with: make ui`);
  });
}

/** The page, with its canvas and its extensions loaded; `onError` hears what it reports as an error. */
export async function openPage(browser, url, onError = (text) => console.error(`page: ${text}`)) {
  await setting(url, "Comfy.TutorialCompleted", true); // the welcome tour would cover the canvas
  const page = await browser.newPage({ viewport: { width: 1680, height: 1000 } });
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => onError(error.stack ?? error.message));
  page.on("console", (message) => message.type() === "error" && onError(`${message.text()} ${message.location().url}`));
  await page.goto(url);
  await ready(page);
  return page;
}

export async function ready(page) {
  await page.waitForFunction(() => window.app?.extensionManager && window.app.graph?.nodes);
  await page.locator("#graph-canvas").waitFor();
  await page.getByTestId("queue-button").waitFor();
  await closeBanner(page);
}

/** Closes the announcement above the tabs, where a frontend shows one. Its other button would switch the design. */
async function closeBanner(page) {
  const banner = page.getByText("Introducing Nodes 2.0").locator("xpath=ancestor::*[count(.//button) > 1][1]");
  if (await banner.count()) await banner.getByRole("button").filter({ hasNotText: /\w/ }).click();
}

/** Drops a file on the canvas and waits until as many nodes stand there as `wanted`. */
export async function dropFile(page, { name, type, bytes }, wanted) {
  await page.evaluate(
    ({ name, type, bytes }) => {
      const transfer = new DataTransfer();
      const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([content], name, { type }));
      window.app.graph.clear();
      document
        .querySelector("#graph-canvas")
        .dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    },
    { name, type, bytes: Buffer.from(bytes).toString("base64") },
  );
  await page.waitForFunction((wanted) => window.app.graph.nodes.length === wanted, wanted);
}

export async function dropWorkflow(page, text) {
  const file = { name: "workflow.json", type: "application/json", bytes: text };
  await dropFile(page, file, JSON.parse(text).nodes.length);
  await page.keyboard.press("."); // fits the whole graph into the view
}

/** Presses Run and waits until the run has begun and nothing is left to do. */
export async function runGraph(page, url) {
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
