// What takes some history.
import assert from 'node:assert/strict';

import { until } from '../doing.mjs';

/** Two moments, picked on the chart. */
export async function difference({ page, shot, service }) {
  await until(`${service.url}/debug/history`, (of) => of.snapshots.length > 1);
  const view = await page('/debug/');
  const chart = view.locator('#chart svg[role]');
  await view.waitForSelector('#chart svg .line');
  const box = await chart.boundingBox();
  const y = box.y + box.height / 2;
  await view.mouse.move(box.x + 70, y);
  await view.mouse.down();
  await view.mouse.move(box.x + box.width - 14, y, { steps: 8 });
  await view.mouse.up();
  await shot(view, 'chart-picked', {});
  await view.getByRole('button', { name: 'Compare A with B' }).click();
  await view.waitForSelector('#flame-view .toolbar.second .told:has-text("in all")');
  assert.match(await view.locator('#flame-view .toolbar.second .told').innerText(), /\+[\d.]+ [KM]iB in all/);
  await shot(view, 'flame-two-moments', {});
  // With the keyboard as well.
  await view.getByRole('button', { name: 'Clear' }).click();
  await chart.focus();
  for (const key of ['Home', 'Enter', 'End', 'Enter']) await view.keyboard.press(key);
  assert.match(await view.locator('#chart .picked').innerText(), /A .* to B /);
}

/** The first screen once there is something to see: two of these are in docs/pictures. */
export async function pictures({ page, shot }) {
  for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }]]) {
    const view = await page('/debug/', { viewport: { width: 1440, height: 1010 }, ...options });
    await view.waitForSelector('#maps-table .spark path');
    await shot(view, `page-${name}`, {});
  }
}
