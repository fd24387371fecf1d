// check.mjs MODULES CHROMIUM PROGRAM LARGE PICTURES [CASE...]: opens the page of the example service,
// and that of a large program, in a browser and does with it what people do. Ends with an error if
// anything is not as it should be.
import fs from 'node:fs';
import path from 'node:path';

import { Browser } from './browser.mjs';
import { cases } from './cases.mjs';
import { until } from './doing.mjs';
import { start, startLarge } from './service.mjs';

const [modules, chromium, program, largeProgram, pictures, ...only] = process.argv.slice(2);
/** Seconds over which the cost of an open page is measured. */
const SECONDS = Number(process.env.POLL_SECONDS ?? 6);

fs.mkdirSync(pictures, { recursive: true });
const [service, large] = await Promise.all([start(program, ['--rate', '500'], { HEAPLENS_DEMO_WINDOWS: '1', HEAPLENS_WHAT_IF_DROP: '1' }), startLarge(largeProgram)]);
const browser = await Browser.launch(modules, chromium);
const failed = [];

/** What a case gets to work with, and what there is to be put away after it. */
function world() {
  const [said, pages, stops] = [[], [], []];
  return {
    said,
    pages,
    stops,
    service,
    large,
    program,
    seconds: SECONDS,
    page: async (target, options) => {
      const page = await browser.open(new URL(target, service.url).href, options);
      pages.push(page);
      return page;
    },
    shot: (page, file, options) => page.screenshot({ path: path.join(pictures, `${file}.png`), ...options }),
    violations: (page) => browser.violations(page),
    say: (text) => said.push(text),
    also: (stop) => stops.push(stop),
  };
}

async function run(name, act) {
  const of = world();
  const begun = Date.now();
  const faults = () => of.pages.flatMap((page) => page.faults).join('\n');
  try {
    await act(of);
    if (faults()) throw new Error(faults());
    console.log(`ok      ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed.push(name);
    console.log(`FAILED  ${name}: ${error.stack}\n${faults()}`);
    for (const [at, page] of of.pages.entries()) await page.screenshot({ path: path.join(pictures, `failed-${name}-${at}.png`) }).catch(() => {});
  }
  of.said.forEach((text) => console.log(`        ${text}`));
  for (const page of of.pages) await page.context().close();
  for (const stop of of.stops) stop();
}

/** Cases that are measured have the machine for themselves, the others wait for each other's pages. */
const ALONE = ['large', 'polls'];
const wanted = Object.entries(cases).filter(([name]) => !only.length || only.includes(name));
const queue = wanted.filter(([name]) => !ALONE.includes(name));
const lane = async () => {
  for (let next = queue.shift(); next; next = queue.shift()) await run(...next);
};

try {
  // What cases look for by name has been sampled.
  await until(`${service.url}/debug/heap?format=sites`, (of) => of.sites.some((site) => site.function?.includes('create_session')));
  await Promise.all([lane(), lane(), lane()]);
  for (const [name, act] of wanted) if (ALONE.includes(name)) await run(name, act);
} finally {
  await browser.close();
  service.stop();
  large.stop();
}
if (failed.length) {
  console.error(`check-page: ${failed.length} failed: ${failed.join(', ')}; pictures in ${pictures}`);
  process.exit(1);
}
console.log(`pictures in ${pictures}`);
