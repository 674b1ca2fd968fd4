// Opens the report page in chromium, in both colour schemes and at both widths, and prints what it saw as JSON.
// Usage: node look.mjs CHROMIUM PAGE.html [FOLDER FOR SCREENSHOTS]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, page, folder] = process.argv.slice(2);
const address = pathToFileURL(page).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const seen = { console: [], requests: [], views: [], script: null, noscript: null };
const browser = await chromium.launch({ executablePath, args: quiet });

async function open(options) {
  const context = await browser.newContext(options);
  const tab = await context.newPage();
  tab.on("console", (message) => { if (["error", "warning"].includes(message.type())) seen.console.push(message.text()); });
  tab.on("pageerror", (error) => seen.console.push(String(error)));
  tab.on("request", (request) => { if (request.url() !== address && !request.url().startsWith("data:")) seen.requests.push(request.url()); });
  await tab.goto(address, { waitUntil: "load" });
  return tab;
}

for (const colorScheme of ["light", "dark"]) {
  for (const [width, height] of [[1280, 900], [390, 844]]) {
    const tab = await open({ colorScheme, viewport: { width, height } });
    await tab.evaluate(axe);
    const found = await tab.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    seen.views.push({
      colorScheme,
      width,
      overflow: await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
      violations: found.violations.map((v) => ({ id: v.id, nodes: v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} ${n.failureSummary.slice(0, 300)}`) })),
    });
    if (folder) {
      await tab.screenshot({ path: `${folder}/${colorScheme}-${width}.png` });
      await tab.screenshot({ path: `${folder}/${colorScheme}-${width}-full.png`, fullPage: true });
    }
    await tab.context().close();
  }
}

const tab = await open({ viewport: { width: 1280, height: 900 } });
const column = (place) => tab.$$eval("table.cases >> nth=0 >> tbody tr", (rows, at) => rows.map((row) => row.cells[at].textContent.trim()), place);
const heads = await tab.$$eval("table.cases >> nth=0 >> thead th", (cells) => cells.map((cell) => cell.textContent.trim()));
const place = heads.findIndex((head) => head.startsWith("Latency"));
seen.script = { heads, before: await column(place) };
const button = tab.locator("table.cases").first().locator("thead th").nth(place).locator("button");
await button.click();
seen.script.ascending = await column(place);
await button.focus();
await tab.keyboard.press("Enter");
seen.script.descending = await column(place);
seen.script.sorted = await tab.locator("table.cases").first().locator("thead th").nth(place).getAttribute("aria-sort");
seen.script.filters = {};
for (const name of await tab.$$eval("form.filters select", (selects) => selects.map((select) => select.name))) {
  const select = tab.locator(`form.filters select[name="${name}"]`);
  const values = await select.locator("option").evaluateAll((options) => options.map((option) => option.value).filter(Boolean));
  await select.selectOption(values[0]);
  seen.script.filters[name] = {
    values,
    shown: await tab.$$eval("table.cases tbody tr", (rows) => rows.filter((row) => !row.hidden).length),
    status: await tab.locator("form.filters .count").textContent(),
  };
  await select.selectOption("");
}
await tab.context().close();

const plain = await open({ javaScriptEnabled: false, viewport: { width: 1280, height: 900 } });
seen.noscript = {
  rows: await plain.locator("table.cases tbody tr:visible").count(),
  filters: await plain.locator("form.filters:visible").count(),
};
if (folder) {
  const paper = await open({ colorScheme: "dark" });
  await paper.pdf({ path: `${folder}/print.pdf`, format: "A4" });
}
await browser.close();
console.log(JSON.stringify(seen));
