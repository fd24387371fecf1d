// look.mjs MODULES CHROMIUM PAGES.json: opens each page of pprof's own web interface, waits until what
// is expected is drawn, and takes a picture. Ends with an error if something is not there.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, chromium, list] = process.argv.slice(2);
const { chromium: browsers } = createRequire(path.join(modules, 'x.js'))('playwright-core');
const PATIENCE = 60_000;

const browser = await browsers.launch({ executablePath: chromium, args: ['--no-sandbox'] });
let failed = false;
try {
  for (const { url, picture, selector, texts } of JSON.parse(fs.readFileSync(list, 'utf8'))) {
    const page = await browser.newPage({ viewport: { width: 1500, height: 900 } });
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(url);
    // In elements that are drawn, not in the script's own data.
    const drawn = ([selector, texts]) => {
      const shown = [...document.querySelectorAll(selector)].filter((of) => of.getClientRects().length);
      const said = shown.map((of) => of.textContent).join('\n');
      return texts.filter((text) => !said.includes(text));
    };
    let missing = texts;
    for (const end = Date.now() + PATIENCE; missing.length && Date.now() < end; ) {
      missing = await page.evaluate(drawn, [selector, texts]);
      await page.waitForTimeout(100);
    }
    await page.screenshot({ path: picture });
    const elements = await page.locator(selector).count();
    console.log(`${path.basename(picture)}: ${elements} elements, ${texts.length - missing.length} of ${texts.length} texts`);
    if (missing.length || errors.length) {
      failed = true;
      console.error(`${url}: not drawn: ${missing.join(', ') || 'nothing'}; errors: ${errors.join(', ') || 'none'}`);
    }
    await page.close();
  }
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);
