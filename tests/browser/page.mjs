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
export const PATIENCE = Number(process.env.PATIENCE ?? 90_000);
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

/** The page, with its canvas and its extensions loaded. Listeners: `error` hears what it reports, `response` what it loads. */
export async function openPage(browser, url, { error = (text) => console.error(`page: ${text}`), response } = {}) {
  await setting(url, "Comfy.TutorialCompleted", true); // the welcome tour would cover the canvas
  const page = await browser.newPage({ viewport: { width: 1680, height: 1000 } });
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (problem) => error(problem.stack ?? problem.message));
  page.on("console", (message) => message.type() === "error" && error(`${message.text()} ${message.location().url}`));
  if (response) page.on("response", response);
  await page.goto(url);
  await ready(page);
  return page;
}

async function ready(page) {
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

/** Drops a file on the canvas and waits until as many nodes stand there as `wanted` and the page can be used again. */
export async function dropFile(page, { name, type, bytes }, wanted) {
  await unblocked(page);
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
  await unblocked(page);
}

/**
 * Waits until the mask is gone that older pages put over everything while they read a file. It fades; a second file dropped
 * meanwhile makes a second mask, and PrimeVue's BlockUI, which knows only one, then leaves the first there for good.
 */
function unblocked(page) {
  return page.locator(".p-blockui-mask-document").waitFor({ state: "detached" });
}

export async function dropWorkflow(page, text) {
  const file = { name: "workflow.json", type: "application/json", bytes: text };
  await dropFile(page, file, JSON.parse(text).nodes.length);
}

/** Fits the whole graph into the view. */
export async function fit(page) {
  await page.keyboard.press(".");
  await page.waitForTimeout(700); // for the picture only: the view moves there
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

/** An empty canvas in its first position, without dialogs. */
export async function clear(page) {
  await closeDialog(page);
  await page.evaluate(() => {
    window.app.canvas.setGraph?.(window.app.rootGraph ?? window.app.graph);
    window.app.graph.clear();
    Object.assign(window.app.canvas.ds, { scale: 1, offset: [60, 160] });
    window.app.canvas.setDirty(true, true);
  });
}

/** Nodes beside each other, as if added by hand. */
export async function addNodes(page, types) {
  await page.evaluate((types) => {
    types.forEach((type, index) => {
      const node = window.LiteGraph.createNode(type);
      node.pos = [40 + 540 * index, 40];
      window.app.graph.add(node);
    });
  }, types);
}

/** Moves the view to the first node of a type. */
export async function look(page, type) {
  await page.evaluate((type) => {
    const node = window.app.graph.nodes.find((each) => each.type === type);
    Object.assign(window.app.canvas.ds, { scale: 1, offset: [300 - node.pos[0], 130 - node.pos[1]] });
    window.app.canvas.setDirty(true, true);
  }, type);
  await page.waitForTimeout(500); // for the picture only: the canvas draws, the elements follow
}

/** Selects a node by a click on its title and opens its help. */
export async function openHelp(page, type) {
  const [x, y] = await page.evaluate((type) => {
    const [node, { ds, canvas }] = [window.app.graph.nodes.find((each) => each.type === type), window.app.canvas];
    Object.assign(ds, { scale: 1, offset: [600, 200] }); // clear of the sidebar that shows the help of the last node
    window.app.canvas.setDirty(true, true);
    const { left, top } = canvas.getBoundingClientRect();
    return [
      left + (node.pos[0] + ds.offset[0] + 110) * ds.scale,
      top + (node.pos[1] + ds.offset[1] - 12) * ds.scale,
    ];
  }, type);
  await page.waitForTimeout(300); // the canvas draws, then knows where the node is
  await page.mouse.click(x, y);
  await page.getByTestId("info-button").first().click();
}

/** Collects what an element says from now on; ask the result for the list. */
export async function listen(locator) {
  const said = await locator.evaluateHandle((element) => {
    const list = [];
    new MutationObserver(() => list.push(element.innerText)).observe(element, { childList: true, subtree: true });
    return list;
  });
  return () => said.jsonValue();
}

/** Makes the server forget the results of earlier runs. */
export async function forget(url) {
  const body = JSON.stringify({ unload_models: true, free_memory: true });
  await fetch(`${url}/free`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
}

/** The bytes of the picture that the latest run saved. */
export async function lastPicture(url) {
  const runs = Object.values(await (await fetch(`${url}/history`)).json());
  const images = runs.at(-1).outputs;
  const [image] = Object.values(images).flatMap((output) => output.images ?? []);
  return Buffer.from(await (await fetch(`${url}/view?${new URLSearchParams(image)}`)).arrayBuffer());
}

/** Saves the workflow by keyboard under a name; what the server then has. */
export async function saveWorkflow(page, url, name) {
  await page.mouse.click(1000, 850);
  await page.keyboard.press("Control+s");
  const field = page.locator("[role=dialog] input");
  await field.fill(name);
  await field.press("Enter");
  const path = `${url}/api/userdata/${encodeURIComponent(`workflows/${name}.json`)}`;
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const answer = await fetch(path);
    if (answer.ok) return answer.text();
    await page.waitForTimeout(100);
  }
  throw new Error(`The page did not save ${name}.`);
}

export async function closeDialog(page) {
  await page.keyboard.press("Escape");
  await page.locator("[role=dialog]").first().waitFor({ state: "hidden" });
}

/** The field of the node search, opened by a double click on the empty canvas; a page just loaded misses the first. */
export async function openSearch(page) {
  const field = page.locator("input[role=combobox]");
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; ) {
    await page.mouse.dblclick(900, 700);
    const opened = await field.waitFor({ timeout: 2000 }).then(() => true, () => false);
    if (opened) return field;
  }
  throw new Error("A double click on the canvas opened no search.");
}
