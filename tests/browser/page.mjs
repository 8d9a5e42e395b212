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
  await page.addInitScript(() => localStorage.setItem("vueNodesBannerDismissed", "true")); // it would move everything down
  await page.goto(url);
  await ready(page);
  return page;
}

async function ready(page) {
  await page.waitForFunction(() => window.app?.extensionManager && window.app.graph?.nodes);
  await page.locator("#graph-canvas").waitFor();
  await page.getByTestId("queue-button").waitFor();
}

/** Loads the page again, as after a closed browser. */
export async function reload(page) {
  await page.waitForTimeout(1500); // the page stores an unsaved workflow a moment after it has changed
  await page.reload();
  await ready(page);
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

/** A picture of one node in sight, such as help pages show. */
export async function portrait(page, type, path) {
  const clip = await page.evaluate((type) => {
    const [node, { ds, canvas }] = [window.app.graph.nodes.find((each) => each.type === type), window.app.canvas];
    const { left, top } = canvas.getBoundingClientRect();
    const [x, y] = [left + (node.pos[0] + ds.offset[0]) * ds.scale, top + (node.pos[1] + ds.offset[1]) * ds.scale];
    return { x: x - 8, y: y - 38, width: node.size[0] * ds.scale + 16, height: node.size[1] * ds.scale + 46 };
  }, type);
  await page.screenshot({ path, clip });
}

/** Selects a node and opens its help by the button above it. */
export async function openHelp(page, type) {
  const button = page.getByTestId("info-button").first();
  await button.waitFor({ state: "hidden" }); // of the node that stood here before
  await page.evaluate((type) => {
    const { canvas } = window.app;
    Object.assign(canvas.ds, { scale: 1, offset: [600, 200] }); // clear of the sidebar that shows the help of the last node
    // Not by a click: two nodes after each other at one place would make it a double click, which edits the title.
    canvas.selectItems(window.app.graph.nodes.filter((node) => node.type === type));
    canvas.setDirty(true, true);
  }, type);
  await button.click();
}

/** Acts, again if need be, until an element is there or gone: for what a page that is still drawing may miss. */
async function until(locator, state, act) {
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; ) {
    await act();
    const reached = await locator.waitFor({ state, timeout: 2000 }).then(() => true, () => false);
    if (reached) return locator;
  }
  throw new Error(`${locator} did not become ${state}.`);
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

export function closeDialog(page) {
  return until(page.locator("[role=dialog]").first(), "hidden", () => page.keyboard.press("Escape"));
}

/** The field of the node search, opened by a double click on the empty canvas. */
export function openSearch(page) {
  return until(page.locator("input[role=combobox]"), "visible", () => page.mouse.dblclick(900, 700));
}
