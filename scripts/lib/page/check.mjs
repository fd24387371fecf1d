// check.mjs MODULES CHROMIUM PROGRAM PICTURES [CASE...]: opens the page of the example service in a
// browser and does with it what people do. Ends with an error if anything is not as it should be.
import fs from 'node:fs';
import path from 'node:path';

import { Browser } from './browser.mjs';
import * as cases from './cases.mjs';
import { start } from './service.mjs';

const [modules, chromium, program, pictures, ...only] = process.argv.slice(2);
/** Seconds that the service fills before it is looked at. */
const FILLING = Number(process.env.FILLING ?? 45);

fs.mkdirSync(pictures, { recursive: true });
const service = await start(program, ['--rate', '500'], { HEAPLENS_DEMO_WINDOWS: '1' });
const browser = await Browser.launch(modules, chromium);
const failed = [];
try {
  await new Promise((resolve) => setTimeout(resolve, FILLING * 1000));
  for (const [name, run] of Object.entries(cases).filter(([name]) => !only.length || only.includes(name))) {
    const said = [];
    const begun = Date.now();
    const pages = [];
    const stops = [];
    const world = {
      service,
      program,
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
    try {
      await run(world);
      const faults = pages.flatMap((page) => page.faults);
      if (faults.length) throw new Error(faults.join('\n'));
      console.log(`ok      ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed.push(name);
      const faults = pages.flatMap((page) => page.faults).join('\n');
      console.log(`FAILED  ${name}: ${error.stack}\n${faults}`);
      for (const [at, page] of pages.entries()) await page.screenshot({ path: path.join(pictures, `failed-${name}-${at}.png`) }).catch(() => {});
    }
    said.forEach((text) => console.log(`        ${text}`));
    for (const page of pages) await page.context().close();
    for (const stop of stops) stop();
  }
} finally {
  await browser.close();
  service.stop();
}
if (failed.length) {
  console.error(`check-page: ${failed.length} failed: ${failed.join(', ')}; pictures in ${pictures}`);
  process.exit(1);
}
console.log(`pictures in ${pictures}`);
