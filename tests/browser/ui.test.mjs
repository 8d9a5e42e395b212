// What a person sees and does on ComfyUI's page with this pack, in one browser tab, from the first load to a saved file.
//
// test_browser.py runs it against real servers. COMFYUI_URL is the server, NODES_2 ("true", "false") the design, APP_MODE
// whether the page can show a workflow as a form, SHOTS the folder for screenshots. The help pages show three of them: editor.png, report.png and audit.png.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import * as comfyui from "./page.mjs";

const { COMFYUI_URL: url, NODES_2: nodes2, SHOTS: shots, APP_MODE: appMode } = process.env;
const EXAMPLES = new URL("../../example_workflows/", import.meta.url);
const OURS = Object.keys(await (await fetch(`${url}/object_info`)).json()).filter((name) => name.startsWith("ErasePro_"));

let browser;
let page;
const errors = [];
const loaded = new Map();

before(async () => {
  await comfyui.setting(url, "Comfy.VueNodes.Enabled", nodes2 === "true");
  await comfyui.setting(url, "Comfy.Locale", "en");
  browser = await comfyui.launch();
  page = await comfyui.openPage(browser, url, {
    error: (text) => errors.push(text),
    response: (answer) => loaded.set(new URL(answer.url()).pathname, answer.status()),
  });
});

after(() => browser?.close());

/** A test with a clear canvas, and a screenshot of how it ended. */
function scene(name, act) {
  test(name, { timeout: 4 * comfyui.PATIENCE }, async () => {
    await comfyui.clear(page);
    try {
      await act();
    } finally {
      await page.screenshot({ path: `${shots}/${name.replaceAll(/\W+/g, "_")}.png` });
    }
  });
}

const cell = (column, row = 0) => page.locator(`.erasepro-editor input[data-column="${column}"]`).nth(row);
const panel = () => page.locator(".erasepro-panel").first();
/** The panel of one node among several. */
const panelOf = (type) => page.locator(`.erasepro-panel[data-erasepro="${type}"]`);
const widgets = (type) =>
  page.evaluate((type) => window.app.graph.nodes.find((node) => node.type === type).serialize().widgets_values, type);

/** An example on the mini model: what to erase is always the same, so that it is solved once, in two sentences. */
async function miniWorkflow(changes = {}, example = "erase_one_concept") {
  const workflow = JSON.parse(await readFile(new URL(`${example}.json`, EXAMPLES), "utf8"));
  const values = {
    EmptyLatentImage: [128, 128, 1],
    ErasePro_DefineConcepts: ["Hokusai | striped -> art", "style", "Mondrian\nSeurat\nTurner", ""],
    ErasePro_Solve: ["text encoder and cross-attention", "progressive", "exact", 1.0, 2, 0.1, "ErasePro"],
    ...changes,
  };
  const inside = workflow.definitions?.subgraphs.flatMap((kind) => kind.nodes) ?? [];
  for (const node of [...workflow.nodes, ...inside]) {
    const changed = values[node.type] ?? node.widgets_values;
    node.widgets_values = typeof changed === "function" ? changed(node.widgets_values) : changed;
    if (node.type === "CheckpointLoaderSimple") {
      Object.assign(node, { type: "MiniLoader", inputs: [], properties: {}, widgets_values: [] });
    }
  }
  return JSON.stringify(workflow);
}

/** Options of a solve in one sentence, of cross-attention alone. */
const ONCE = ["cross-attention", "progressive", "exact", 1.0, 1, 0.1, "ErasePro"];

async function missing() {
  return page.evaluate(() =>
    window.app.graph.nodes
      .filter((node) => node.type.startsWith("ErasePro_"))
      .filter((node) => node.has_errors || !window.LiteGraph.registered_node_types[node.type])
      .map((node) => node.type),
  );
}

scene("the page loads every file of the pack", () => {
  const ours = [...loaded].filter(([path]) => path.startsWith("/extensions/ErasePro/"));
  assert.ok(ours.some(([path]) => path.endsWith("/erasepro.js")));
  assert.deepEqual(ours.filter(([, status]) => status >= 400), []);
});

test("opening the page waits for nothing but the pack's modules", { timeout: 4 * comfyui.PATIENCE }, async () => {
  const ours = /\/extensions\/ErasePro\//;
  const [modules, asked] = [[], []];
  const context = await browser.newContext();
  context.on("page", async (opened) => {
    const devtools = await context.newCDPSession(opened);
    devtools.on("Network.requestWillBeSent", ({ type, request, initiator }) => {
      if (type === "Script") modules.push(request.url);
      else if (ours.test(JSON.stringify(initiator.stack ?? ""))) asked.push(new URL(request.url).pathname);
    });
    await devtools.send("Network.enable");
  });
  await comfyui.openPage(context, url, { error: (text) => errors.push(text) });
  await context.close();
  assert.ok(modules.some((module) => ours.test(module)));
  assert.deepEqual(asked, []);
});

scene("nodes are found by search", async () => {
  const names = Object.entries(await (await fetch(`${url}/object_info`)).json())
    .filter(([type]) => OURS.includes(type))
    .map(([type, node]) => [type, node.display_name]);
  for (const [type, name] of names) {
    const search = await comfyui.openSearch(page);
    await search.fill(name);
    await page.getByRole("option").filter({ hasText: name }).first().waitFor();
    await search.press("Enter");
    await search.waitFor({ state: "hidden" });
    await page.waitForFunction((type) => window.app.graph.nodes.some((node) => node.type === type), type);
    await comfyui.clear(page);
  }
});

for (const file of (await readdir(EXAMPLES)).filter((name) => name.endsWith(".json"))) {
  scene(`dropping ${file} builds its graph`, async () => {
    const text = await readFile(new URL(file, EXAMPLES), "utf8");
    await comfyui.dropWorkflow(page, text);
    assert.deepEqual(await missing(), []);
    const saved = JSON.parse(text).nodes.filter((node) => node.type.startsWith("ErasePro_"));
    for (const { id, widgets_values: values } of saved) {
      const now = await page.evaluate((id) => window.app.graph.getNodeById(id).serialize().widgets_values, id);
      assert.deepEqual(now ?? [], values); // newer pages save nothing for a node without widgets
    }
    await comfyui.fit(page);
  });
}

scene("names that the model knows are chips: one adds an alias, another a preserve", async () => {
  const concepts = ["circle -> square", "object", "ring", ""];
  await comfyui.dropWorkflow(page, await miniWorkflow({ ErasePro_DefineConcepts: concepts }));
  await comfyui.look(page, "ErasePro_DefineConcepts");
  await page.getByRole("button", { name: "find names" }).click();
  const chip = (what) => page.locator(`.erasepro-chip[data-take="${what}"]`);
  const disc = chip("alias").filter({ hasText: /^\+ disc / }); // and not its plural
  await disc.click();
  assert.equal(await cell("aliases").inputValue(), "disc");
  assert.equal(await disc.count(), 0);
  const [, name] = (await chip("preserve").first().innerText()).split(" ");
  await chip("preserve").first().click();
  assert.deepEqual((await widgets("ErasePro_DefineConcepts")).slice(0, 3), ["circle | disc -> square", "object", `ring\n${name}`]);
  assert.equal(await page.evaluate(() => window.app.graph.nodes.filter((node) => node.type === "ErasePro_FindNames").length), 1);
  await panelOf("ErasePro_FindNames").getByText("may mean the same").waitFor();
  assert.deepEqual(await missing(), []);
});

scene("an example without its checkpoint is met by the host's own words about missing models", async () => {
  const before = errors.length;
  await comfyui.dropWorkflow(page, await readFile(new URL("erase_one_concept.json", EXAMPLES), "utf8"));
  await page.getByText(/missing/i).filter({ visible: true }).first().waitFor(); // a dialog, or a note beside the canvas
  await page.getByText(/v1-5-pruned-emaonly-fp16\.safetensors/).filter({ visible: true }).first().waitFor();
  assert.equal(await page.getByText(/ErasePro_|missing node/i).filter({ visible: true }).count(), 0);
  assert.deepEqual(ours(errors.slice(before)), []);
  assert.deepEqual(await missing(), []);
});

scene("every text of the table of spellings is read in the page as in Python", async () => {
  const table = JSON.parse(await readFile(new URL("../spellings/table.json", import.meta.url), "utf8"));
  const rows = table.filter(({ field }) => field !== "probes"); // which have no part on the page that reads them
  const answers = await page.evaluate(async (rows) => {
    const { readText, writeText } = await import("/extensions/ErasePro/lines.js");
    const ask = async (fields) => {
      const body = JSON.stringify({ text: "fox -> dog", kind: "object", preserve: "", ...fields });
      const headers = { "Content-Type": "application/json" };
      return (await fetch("/api/erasepro/concepts", { method: "POST", headers, body })).json();
    };
    const answers = [];
    for (const { field, text, kind = "object" } of rows) {
      if (field !== "concepts") answers.push({ typed: await ask({ [field]: text }) });
      else {
        const cells = readText(text);
        const [typed, edited] = [await ask({ text, kind }), await ask({ text: writeText(cells), kind })];
        answers.push({ typed, edited, shown: cells.filter((row) => row.quiet === undefined).length });
      }
    }
    return answers;
  }, rows);
  assert.ok(rows.length >= 60);
  rows.forEach(({ id, field, read, refused }, index) => {
    const { typed, edited, shown } = answers[index];
    const lines = (answer) => Object.values(answer.lines);
    const errors = [typed.error, ...lines(typed).map((line) => line.error)].filter(Boolean).join(" ");
    if (refused) assert.match(errors, new RegExp(refused), id);
    else if (read.length) assert.equal(errors, "", id);
    if (field !== "concepts") return;
    if (!refused) assert.deepEqual(lines(typed).flatMap((line) => line.names), read, id);
    const said = (answer) => lines(answer).filter((line) => line.read ?? line.error).map((line) => line.read ?? "refused");
    assert.deepEqual(said(edited), said(typed), id); // the table writes what means the same
    assert.equal(shown, said(typed).length, id);
  });
});

scene("what a line is read as is shown under it, and what is refused with its right form", async () => {
  await comfyui.addNodes(page, ["ErasePro_DefineConcepts"]);
  await cell("target").fill("(saber \\(fate\\):1.2)");
  await cell("aliases").fill("");
  await cell("anchor").fill("a woman");
  await page.getByText("Read as: saber (fate) -> a woman").filter({ visible: true }).waitFor();
  await cell("target").fill("embedding:fox");
  await page.getByText("Write the words that it stands for.").filter({ visible: true }).waitFor();
  await page.getByText("Read as:").waitFor({ state: "hidden" });
  await page.evaluate(() => {
    const kind = window.app.graph.nodes[0].widgets.find((widget) => widget.name === "kind");
    kind.value = "object";
    kind.callback?.(kind.value);
  });
  await cell("target").fill("red cup");
  await cell("anchor").fill("cup");
  await page.getByText("The anchor only leaves out red").filter({ visible: true }).waitFor();
  await comfyui.portrait(page, "ErasePro_DefineConcepts", `${shots}/left_out.png`);
  await cell("anchor").fill("blue cup");
  await page.getByText("The anchor only leaves out").waitFor({ state: "hidden" });
});

scene("concepts are typed in the table and stand in the text", async () => {
  await comfyui.addNodes(page, ["ErasePro_DefineConcepts"]);
  await cell("target").fill("circle");
  await cell("aliases").fill("disc");
  await cell("anchor").fill("square");
  await cell("anchor").press("Enter");
  await page.keyboard.type("heart");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.type("moon");
  await page.locator(".erasepro-tokens", { hasText: "1 | 1" }).waitFor();
  await comfyui.portrait(page, "ErasePro_DefineConcepts", `${shots}/editor.png`);
  await cell("anchor", 1).fill("<b>triangle</b>");
  assert.equal((await widgets("ErasePro_DefineConcepts"))[0], "circle | disc -> square\nheart -> <b>triangle</b>");
  await cell("anchor", 1).press("Alt+ArrowUp");
  assert.equal((await widgets("ErasePro_DefineConcepts"))[0], "heart -> <b>triangle</b>\ncircle | disc -> square");
  assert.equal(await page.evaluate(() => document.activeElement.value), "<b>triangle</b>");
  await page.getByRole("button", { name: "remove" }).first().click();
  assert.equal((await widgets("ErasePro_DefineConcepts"))[0], "circle | disc -> square");
});

scene("an error is marked on its row while one types, and goes away", async () => {
  await comfyui.addNodes(page, ["ErasePro_DefineConcepts"]);
  await cell("anchor").fill("Van Gogh");
  await page.getByRole("alert").filter({ hasText: "is its own anchor" }).waitFor();
  assert.equal(await cell("anchor").getAttribute("aria-invalid"), "true");
  await cell("anchor").fill("");
  await page.getByRole("alert").filter({ hasText: "is its own anchor" }).waitFor({ state: "hidden" });
  assert.equal(await cell("anchor").getAttribute("placeholder"), "art"); // the kind's own anchor
});

scene("a preset fills the table, and the text can be edited as text", async () => {
  await comfyui.addNodes(page, ["ErasePro_DefineConcepts"]);
  await page.getByLabel("presets").selectOption({ label: "nudity (explicit content)" });
  const [text, kind, preserve] = await widgets("ErasePro_DefineConcepts");
  assert.match(text, /^nudity \| .* -> a person wearing clothes$/);
  assert.equal(kind, "explicit content");
  assert.match(preserve, /a statue/);
  await page.getByRole("button", { name: "as text" }).click();
  await page.getByLabel("concepts to erase, as text").fill("# mine\nsnow -> sand");
  await page.getByRole("button", { name: "as table" }).click();
  assert.equal(await cell("target").inputValue(), "snow");
  assert.equal((await widgets("ErasePro_DefineConcepts"))[0], "# mine\nsnow -> sand");
});

scene("a run shows its progress and then its report", async () => {
  await comfyui.forget(url);
  const other = ["a heart | Katsushika -> art", "style", "Mondrian\nSeurat\nTurner", ""];
  await comfyui.dropWorkflow(page, await miniWorkflow({ ErasePro_DefineConcepts: other }));
  await comfyui.look(page, "ErasePro_DefineConcepts");
  await cell("target").fill("Hokusai");
  await cell("aliases").fill("striped");
  const said = await comfyui.listen(panel());
  await comfyui.runGraph(page, url);
  await panel().locator("svg.erasepro-chart").nth(1).waitFor();
  assert.match(await panel().innerText(), /Hokusai \| striped -> art\s+leak 1 → 0\.\d+ \(0\.\d+ in sentences solved on\)/);
  assert.match(await panel().innerText(), /residual\s+at most \d\S* in \d+ layers, depth \d+ to \d+/);
  assert.match(await panel().innerText(), /digest\s+[0-9a-f]{16}\s/);
  assert.doesNotMatch(await panel().innerText(), /undefined/);
  const told = await said();
  const steps = told.map((text) => text.match(/^(.+) · step (\d+) of (\d+)/)).filter(Boolean);
  assert.ok(steps.length > 1, `progress was shown ${steps.length} times`);
  assert.ok(steps.every(([, , done, all]) => Number(done) <= Number(all)));
  const phases = new Set(steps.map(([, phase]) => phase));
  for (const phase of ["reading the model", "solving"]) assert.ok(phases.has(phase), phase);
  assert.ok(told.some((text) => /encoder\.layers\.\d+\.\S+ · about \d+ s left/.test(text))); // layer and time
  await comfyui.look(page, "ErasePro_Solve");
  await comfyui.portrait(page, "ErasePro_Solve", `${shots}/report.png`);
});

scene("the picture of a run brings its workflow back", async () => {
  const workflow = await miniWorkflow();
  const picture = await comfyui.lastPicture(url);
  await comfyui.dropFile(page, { name: "ours.png", type: "image/png", bytes: picture }, JSON.parse(workflow).nodes.length);
  assert.deepEqual(await missing(), []);
  assert.equal((await widgets("ErasePro_DefineConcepts"))[0], "Hokusai | striped -> art");
});

scene("a panel keeps its report: another tab, a page loaded again, a picture, an entry of the history", async () => {
  const shows = (digest) => panel().filter({ hasText: `digest${digest}` }).waitFor();
  const run = async (concepts) => {
    const workflow = await miniWorkflow({ ErasePro_DefineConcepts: [concepts, "style", "", ""], ErasePro_Solve: ONCE });
    await comfyui.dropWorkflow(page, workflow);
    await comfyui.runGraph(page, url);
    await comfyui.look(page, "ErasePro_Solve");
    await panel().locator("svg.erasepro-chart").first().waitFor();
    return (await panel().innerText()).match(/digest\s+([0-9a-f]{16})/)[1];
  };
  const earlier = await run("Seurat -> art");
  const picture = await comfyui.lastPicture(url);
  const later = await run("Turner -> art");
  assert.notEqual(earlier, later);

  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.NewBlankWorkflow"));
  await page.waitForFunction(() => window.app.graph.nodes.length === 0);
  await page.evaluate(() => window.app.extensionManager.command.execute("Workspace.PreviousOpenedWorkflow"));
  await page.waitForFunction(() => window.app.graph.nodes.length > 0);
  await comfyui.look(page, "ErasePro_Solve");
  await shows(later);

  await comfyui.reload(page);
  await page.waitForFunction(() => window.app.graph.nodes.some((node) => node.type === "ErasePro_Solve"));
  await comfyui.look(page, "ErasePro_Solve");
  await shows(later);

  await comfyui.dropFile(page, { name: "earlier.png", type: "image/png", bytes: picture }, 16);
  await comfyui.look(page, "ErasePro_Solve");
  await shows(earlier);

  await page.evaluate(async () => {
    const runs = Object.values(await (await fetch("/history")).json());
    await window.app.loadGraphData(runs.at(-1).prompt[3].extra_pnginfo.workflow); // as the queue's own menu does
  });
  await comfyui.look(page, "ErasePro_Solve");
  await shows(later);

  const unknown = { ErasePro_DefineConcepts: ["Mondrian -> art", "style", "", ""], ErasePro_Solve: ONCE };
  await comfyui.dropWorkflow(page, await miniWorkflow(unknown));
  await comfyui.look(page, "ErasePro_Solve");
  await page.waitForTimeout(1500); // nothing says that no run was found
  await panel().getByText("Run to see what is erased").waitFor();
});

scene("an audit shows what is left of each name, and warns", async () => {
  const audit = [0.3, "", "blurry, Hokusai"];
  await comfyui.dropWorkflow(page, await miniWorkflow({ ErasePro_Audit: audit }, "audit_and_guard"));
  await comfyui.runGraph(page, url);
  await comfyui.look(page, "ErasePro_Report"); // the page hides what is out of sight
  await panelOf("ErasePro_Report").locator("svg").first().waitFor();
  await comfyui.look(page, "ErasePro_Audit");
  const audited = panelOf("ErasePro_Audit");
  await audited.getByText(/^erased highest leak 0\.\d+, threshold 0\.30$/).waitFor();
  for (const name of ["Hokusai", "striped"]) await audited.getByText(name, { exact: true }).waitFor();
  assert.match(await audited.innerText(), /unseen sentences\s+0\.\d+[^]*two objects\s+0\.\d+/);
  await audited.getByText(/The negative prompt names 'Hokusai'/).first().waitFor();
  await comfyui.portrait(page, "ErasePro_Audit", `${shots}/audit.png`);

  const weak = { ErasePro_Audit: [0.3, "", ""], ErasePro_Apply: [0.5], ErasePro_Guard: [0.9, ""] };
  await comfyui.dropWorkflow(page, await miniWorkflow(weak, "audit_and_guard"));
  await comfyui.runGraph(page, url);
  await comfyui.look(page, "ErasePro_Audit");
  await audited.getByText(/^NOT ERASED highest leak 0\.\d+/).waitFor();
  await audited.getByText(/leak 0\.\d+, most in '/).first().waitFor();
});

scene("a comparison ends with a report on both panels, and a history that every browser can read", async () => {
  await comfyui.forget(url);
  const quick = (values) => [...values.slice(0, 4), 2, ...values.slice(5)]; // two sentences, each node its own method
  await comfyui.dropWorkflow(page, await miniWorkflow({ ErasePro_Solve: quick }, "compare_methods"));
  await comfyui.runGraph(page, url);
  await page.waitForFunction(() => {
    const solves = window.app.graph.nodes.filter((node) => node.type === "ErasePro_Solve");
    const said = solves.map((node) => node.widgets.find((widget) => widget.name === "report").element.textContent);
    return said.length === 2 && said.every((text) => /in \d+ layers/.test(text) && !/layer \d+ of \d+/.test(text));
  });
  const read = await page.evaluate(async () => {
    const text = await (await fetch("/history")).text();
    return Object.values(JSON.parse(text)).at(-1); // throws at NaN, as the page would
  });
  assert.equal(read.status.status_str, "success");
  const reports = Object.values(read.outputs).flatMap((output) => output.erasepro_report ?? []);
  assert.deepEqual(reports.map((report) => report.options.method).sort(), ["ErasePro", "UCE"]);
  const conditions = (method) =>
    reports.find((report) => report.options.method === method).layers.map((layer) => layer.condition);
  assert.ok(conditions("UCE").every((condition) => condition === null)); // it has none
  assert.ok(conditions("ErasePro").every((condition) => condition >= 1));
});

scene("a bad concept shows its error on its node", async () => {
  const concepts = ["Hokusai ->", "style", "", ""];
  await comfyui.dropWorkflow(page, await miniWorkflow({ ErasePro_DefineConcepts: concepts }));
  await page.getByTestId("queue-button").click();
  const words = page.getByText(/has nothing after the arrow/).filter({ visible: true });
  const details = page.getByRole("button", { name: "View details" }); // newer pages fold the words away, with classic nodes
  await words.or(details).first().waitFor();
  if (!(await words.count())) {
    await details.click();
    await page.getByRole("button", { name: "Info for What to erase - text" }).click();
  }
  await words.first().waitFor();
  await page.waitForFunction(() => {
    const node = window.app.graph.nodes.find((each) => each.type === "ErasePro_DefineConcepts");
    return node.has_errors || window.app.lastNodeErrors?.[node.id];
  });
  await comfyui.closeDialog(page);
  await comfyui.look(page, "ErasePro_DefineConcepts");
  await page.getByRole("alert").filter({ hasText: "has nothing after the arrow" }).first().waitFor();
});

scene("a saved workflow keeps what was typed", async () => {
  await comfyui.addNodes(page, ["ErasePro_DefineConcepts", "ErasePro_Solve", "ErasePro_Apply"]);
  await cell("target").fill("lighthouse");
  await page.locator(".erasepro-editor label textarea").fill("tower\nhouse");
  const [define, solve] = [await widgets("ErasePro_DefineConcepts"), await widgets("ErasePro_Solve")];
  assert.deepEqual(define, ["lighthouse | Vincent van Gogh -> an artist", "style", "tower\nhouse", "", "", false]);
  const text = await comfyui.saveWorkflow(page, url, `browser test ${Date.now()}`);
  await comfyui.clear(page);
  await comfyui.dropWorkflow(page, text);
  assert.deepEqual(await widgets("ErasePro_DefineConcepts"), define);
  assert.deepEqual(await widgets("ErasePro_Solve"), solve);
  assert.equal(await cell("target").inputValue(), "lighthouse");
});

scene("the nodes work inside a subgraph", async () => {
  await comfyui.dropWorkflow(page, await miniWorkflow({ ErasePro_Solve: ONCE }));
  await page.evaluate(async () => {
    const ours = window.app.graph.nodes.filter((node) => node.type.startsWith("ErasePro_"));
    window.app.canvas.selectItems(ours);
    await window.app.extensionManager.command.execute("Comfy.Graph.ConvertToSubgraph");
  });
  await page.waitForFunction(() => window.app.graph.nodes.some((node) => node.subgraph));
  await comfyui.runGraph(page, url);
  const report = () =>
    [...window.app.graph.nodes.find((node) => node.subgraph).subgraph.nodes]
      .find((node) => node.type === "ErasePro_Solve")
      .widgets.find((widget) => widget.name === "report").element.textContent;
  await page.waitForFunction(`/at most \\d\\S* in \\d+ layers/.test((${report})())`);
});

scene("a blueprint of the library is one node, with what to erase outside", async () => {
  for (const name of ["Erase Concepts", "Require and Audit Erasure"]) {
    await comfyui.clear(page);
    const search = await comfyui.openSearch(page);
    await search.fill(name);
    await page.getByRole("option").filter({ hasText: name }).first().waitFor();
    await search.press("Enter");
    await search.waitFor({ state: "hidden" });
    await page.waitForFunction(() => window.app.graph.nodes.some((node) => node.subgraph));
  }
  await comfyui.clear(page);
  const quick = (values) => [...values.slice(0, 4), 6, 3.0, ...values.slice(6)]; // six steps
  await comfyui.dropWorkflow(page, await miniWorkflow({ ErasePro_Compare: quick }, "one_node"));
  const shown = await page.evaluate(() => {
    const node = window.app.graph.nodes.find((each) => each.title === "Erase Concepts");
    const hidden = (widget) => Boolean(widget.hidden ?? widget.options?.hidden);
    return Object.fromEntries(node.widgets.map((widget) => [widget.name, [widget.value, hidden(widget)]]));
  });
  assert.deepEqual(shown.text, ["Hokusai | Katsushika Hokusai -> art", false]);
  assert.deepEqual(shown.kind, ["style", false]);
  assert.deepEqual(shown.preserve, ["Mondrian\nSeurat\nTurner", false]);
  await comfyui.fit(page);
  await comfyui.runGraph(page, url);
  await comfyui.look(page, "ErasePro_Compare");
  const grid = await comfyui.lastPicture(url); // Compare's own preview, or what Save Image saved of it
  assert.ok(grid.readUInt32BE(16) > 300); // width of a PNG: two seeds and the labels
  const report = () =>
    [...window.app.graph.nodes.find((node) => node.title === "Erase Concepts").subgraph.nodes]
      .find((node) => node.type === "ErasePro_Solve")
      .widgets.find((widget) => widget.name === "report").element.textContent;
  await page.waitForFunction(`/drift/.test((${report})())`);
});

scene("the main example is a form in app mode", async () => {
  await comfyui.dropWorkflow(page, await miniWorkflow());
  const saved = JSON.parse(await readFile(new URL("erase_one_concept.json", EXAMPLES), "utf8")).extra.linearData;
  assert.deepEqual(saved, { inputs: [[1, "ckpt_name"], [4, "concept_editor"], [2, "value"]], outputs: [15] });
  if (appMode !== "true") return; // older pages have no form
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.ToggleLinear"));
  await page.getByTestId("linear-widgets").waitFor();
  const form = page.getByTestId("app-mode-widget-item");
  await form.filter({ has: page.locator(".erasepro-editor") }).first().waitFor(); // what to erase
  await form.locator("textarea").filter({ visible: true }).last().waitFor(); // the prompt
  await comfyui.closeDialog(page); // a tour of the page's own
  await page.screenshot({ path: `${shots}/app_mode.png` });
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.ToggleLinear"));
});

scene("every node has a help page", async () => {
  for (const type of OURS) {
    await comfyui.clear(page);
    await comfyui.addNodes(page, [type]);
    await comfyui.openHelp(page, type);
    await page.getByRole("heading", { name: "Limits" }).first().waitFor();
    assert.equal(loaded.get(`/extensions/ErasePro/docs/${type}.md`), 200);
  }
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".node-help-content img")].every((image) => image.naturalWidth > 0),
  );
});

scene("the templates have cards with pictures", async () => {
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.BrowseTemplates"));
  await page.getByText("ErasePro", { exact: true }).last().click();
  const names = (await readdir(EXAMPLES)).filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5));
  for (const name of names) {
    const card = page.getByTestId(`template-workflow-${name}`);
    // The page loads a picture when its card is in sight, and drops it after that.
    await card.evaluate((element) => element.scrollIntoView({ block: "center" }));
    const picture = await card.locator("img").elementHandle();
    await page.waitForFunction((image) => image.naturalWidth === 480, picture);
  }
});

const LANGUAGES = { ja: ["概念の定義", "種類", "アンカー", "制限"], zh: ["定义概念", "类型", "锚点", "限制"] };
for (const [language, [title, kind, anchor, limits]] of Object.entries(LANGUAGES)) {
  test(`nodes and editor speak the page's language: ${language}`, { timeout: 4 * comfyui.PATIENCE }, async () => {
    await comfyui.setting(url, "Comfy.Locale", language);
    const foreign = await comfyui.openPage(browser, url, { error: (text) => errors.push(text) });
    try {
      await comfyui.clear(foreign);
      const search = await comfyui.openSearch(foreign);
      await search.fill(title);
      await foreign.getByRole("option").filter({ hasText: title }).first().waitFor();
      await search.press("Enter");
      await foreign.locator(".erasepro-editor th", { hasText: anchor }).waitFor();
      const said = await foreign.evaluate(() => {
        const [node] = window.app.graph.nodes;
        return [node.title, node.widgets.find((widget) => widget.name === "kind").label];
      });
      assert.deepEqual(said, [title, kind]);
      await comfyui.clear(foreign);
      await comfyui.addNodes(foreign, ["ErasePro_DefineConcepts"]);
      await comfyui.openHelp(foreign, "ErasePro_DefineConcepts");
      await foreign.getByRole("heading", { name: limits }).first().waitFor();
    } finally {
      await foreign.screenshot({ path: `${shots}/language_${language}.png` });
      await foreign.close();
      await comfyui.setting(url, "Comfy.Locale", "en");
    }
  });
}

test("the editor takes its colours from the page's theme", { timeout: 4 * comfyui.PATIENCE }, async () => {
  try {
    const [dark, light] = [await colours("dark"), await colours("light")];
    for (const index of dark.keys()) assert.notEqual(light[index], dark[index]);
  } finally {
    await comfyui.setting(url, "Comfy.ColorPalette", "dark");
  }
});

/** Colours of text and ground, of a cell of the editor and of a panel, on a page with one of the host's palettes. */
async function colours(palette) {
  await comfyui.setting(url, "Comfy.ColorPalette", palette);
  const themed = await comfyui.openPage(browser, url, { error: (text) => errors.push(text) });
  try {
    await comfyui.clear(themed);
    await comfyui.addNodes(themed, ["ErasePro_DefineConcepts", "ErasePro_Solve"]);
    await themed.locator(".erasepro-editor input").first().waitFor();
    return await themed.evaluate(() =>
      [".erasepro-editor input", ".erasepro-panel"].flatMap((each) => {
        const { color, backgroundColor } = getComputedStyle(document.querySelector(each));
        return [color, backgroundColor];
      }),
    );
  } finally {
    await themed.screenshot({ path: `${shots}/theme_${palette}.png` });
    await themed.close();
  }
}

test("the console has no error of ours", () => {
  assert.deepEqual(ours(errors), []);
});

/** The errors that this pack is to blame for. */
function ours(errors) {
  // The page asks the registry about every node, and for a help page in its language before the one for all.
  const hosts = /api\.comfy\.org|\/docs\/ErasePro_\w+\/\w+\.md$/;
  return errors.filter((text) => /erasepro/i.test(text) && !hosts.test(text));
}
