// shoot.mjs MODULES CHROMIUM DIRECTORY NAME WIDTH FILE: photographs the dashboard of DIRECTORY/NAME.json.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, chromium, directory, name, width, file] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'x.js'));
const playwright = require('playwright-core');
const UPNG = require('upng-js');
const COLOURS = 256;
const HOST = 'http://dashboards.invalid';

const { dashboard, answers, range, values } = JSON.parse(fs.readFileSync(path.join(directory, `${name}.json`), 'utf8'));
const browser = await playwright.chromium.launch({ executablePath: chromium, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: Number(width), height: 1000 } });
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  // Icons are fetched, which a page from a file may not do.
  await page.route(`${HOST}/**`, (route) => {
    const wanted = new URL(route.request().url()).pathname;
    const icon = wanted.match(/\/img\/.*/);
    const found = icon ? path.join(modules, '@grafana/ui/dist/public', icon[0]) : path.join(directory, wanted);
    return fs.existsSync(found) ? route.fulfill({ path: found }) : route.fulfill({ status: 404 });
  });
  await page.goto(`${HOST}/page.html`);
  await page.evaluate(([d, a, r, v]) => window.draw(d, a, r, v), [dashboard, answers, range, values]);
  await page.waitForSelector('#dashboard main').catch((error) => {
    throw new Error(`${errors.join('\n')}\n${error}`);
  });
  const height = await page.evaluate(() => Math.ceil(document.getElementById('dashboard').getBoundingClientRect().height));
  await page.setViewportSize({ width: Number(width), height });
  await page.evaluate(() => document.fonts.ready);
  // Charts are drawn after the layout is known.
  await page.waitForTimeout(1500);
  for (const error of new Set(errors)) {
    console.error(error.slice(0, 2000));
  }
  const raw = await page.screenshot();
  // Few colours: a picture of charts loses nothing by it.
  const image = UPNG.decode(raw);
  const small = UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, COLOURS);
  fs.writeFileSync(file, Buffer.from(small));
  console.log(`${file}: ${image.width} x ${image.height}, ${small.byteLength} bytes`);
} finally {
  await browser.close();
}
