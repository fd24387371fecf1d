// What is seen first, on every screen.
import assert from 'node:assert/strict';

import { CASES, DARK, NARROW, SCREENS, drawn, names, top } from '../doing.mjs';

export async function load({ page, say }) {
  const view = await page('/debug/');
  assert.match(await view.locator('#state h1').innerText(), /\S/);
  const maps = await names(view, 'maps-table');
  for (const map of CASES) assert.ok(maps.some((name) => name.includes(map)), `${map} in ${maps}`);
  await view.waitForSelector('#sites-table tbody tr');
  await drawn(view);
  say(`${(view.bytes / 1024).toFixed(1)} KiB for the page with its scripts and style, as sent`);
}

export async function screens({ page, shot }) {
  for (const [name, options] of SCREENS) {
    const view = await page('/debug/', options);
    await drawn(view);
    await top(view);
    const wide = await view.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name}: ${wide} pixels wider than the screen`);
    await shot(view, `overview-${name}`, { fullPage: true });
  }
}

export async function theme({ page }) {
  const view = await page('/debug/', DARK);
  const ground = () => view.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await ground();
  await view.click('#theme');
  assert.notEqual(await ground(), before);
  await view.reload();
  assert.notEqual(await ground(), before, 'the choice is kept');
}

export async function accessible({ page, violations }) {
  const targets = [['/debug/', {}], ['/debug/', DARK], ['/debug/', NARROW], ['/debug/?map=sessions', {}], ['/debug/?map=sessions', DARK]];
  for (const [target, options] of targets) {
    const view = await page(target, options);
    assert.deepEqual(await violations(view), [], `${target} ${JSON.stringify(options)}`);
  }
}

export async function scriptless({ page, shot }) {
  const view = await page('/debug/', { javaScriptEnabled: false });
  // The document waits only so long for the names of functions.
  while (!(await view.locator('#sites-table').count())) await view.reload();
  const text = await view.locator('main').innerText();
  for (const part of ['sessions', 'create_session', 'Allocated', 'Resident', 'go tool pprof', '/debug/pprof/', 'flame graph as a picture']) {
    assert.ok(text.includes(part), `${part} in ${text}`);
  }
  await shot(view, 'no-script-1440', { fullPage: true });
  await view.locator('#maps-table a').first().click();
  assert.match(view.url(), /\?map=/);
}
