// What takes some history.
import assert from 'node:assert/strict';

import { CASES, top, until } from '../doing.mjs';

/** How far the worst of the example's leaks is to be before pictures are taken: those of docs/pictures are of `leak`. */
const STATE = process.env.PICTURES ?? 'growing';
const REACHED = ['growing', 'suspect', 'leak'];

/** Picks the first and the last moment of the chart with the pointer, and compares them. */
async function compare(view, shot) {
  const chart = view.locator('#chart svg[role]');
  await view.waitForSelector('#chart svg .line');
  const box = await chart.boundingBox();
  const y = box.y + box.height / 2;
  await view.mouse.move(box.x + 70, y);
  await view.mouse.down();
  await view.mouse.move(box.x + box.width - 14, y, { steps: 8 });
  await view.mouse.up();
  await shot(view);
  await view.getByRole('button', { name: 'Compare A with B' }).click();
  await view.waitForSelector('#flame-view .toolbar.second .told:has-text("in all")');
  assert.match(await view.locator('#flame-view .toolbar.second .told').innerText(), /\+[\d.]+ [KM]iB in all/);
}

/** Two moments, picked on the chart. */
export async function difference({ page, shot, service }) {
  await until(`${service.url}/debug/history`, (of) => of.snapshots.length > 1);
  const view = await page('/debug/');
  await compare(view, () => shot(view, 'chart-picked', {}));
  await shot(view, 'flame-two-moments', {});
  // With the keyboard as well.
  await view.getByRole('button', { name: 'Clear' }).click();
  await view.locator('#chart svg[role]').focus();
  for (const key of ['Home', 'Enter', 'End', 'Enter']) await view.keyboard.press(key);
  assert.match(await view.locator('#chart .picked').innerText(), /A .* to B /);
}

/** Whoever reads nothing but the page can say of each leak: which map, since when, how fast, from which line. */
export async function verdicts({ page, shot, service }) {
  const isReached = (of, state) => REACHED.indexOf(of.state) >= REACHED.indexOf(state);
  const isOf = (name) => (one) => one.kind === 'map' && one.name === name && isReached(one, 'growing');
  const grows = (of) => isReached(of, STATE) && CASES.every((name) => of.verdicts.some(isOf(name)));
  await until(`${service.url}/debug/leaks`, grows);
  const view = await page('/debug/', { viewport: { width: 1440, height: 1010 } });
  for (const name of CASES) {
    const verdict = view.locator(`#verdicts [data-key="map ${name}"]`);
    const details = verdict.locator('details');
    if ((await details.getAttribute('open')) === null) await details.locator('summary').click();
    const text = await verdict.innerText();
    assert.match(text, /Growing since\s+\d\d:\d\d:\d\d UTC/, name);
    assert.match(text, /Entries a minute\s+\+[\d,]+/, name);
    assert.match(text, new RegExp(`Filled from\\s+\\w+ at src/cases/${name}\\.rs:\\d+`), name);
    assert.ok((await verdict.locator('.evidence tbody tr').count()) > 3, `${name} has evidence`);
  }
  await view.reload();
  await view.waitForSelector('#maps-table .spark path');
  await top(view);
  await shot(view, 'page-light', {});
  const other = await page('/debug/', { viewport: { width: 1440, height: 1010 }, colorScheme: 'dark' });
  await compare(other, () => {});
  await shot(other, 'page-dark', {});
}
