// Tables, and what becomes of them while the page is kept up to date.
import assert from 'node:assert/strict';

import { figures, names, refreshed } from '../doing.mjs';

export async function live({ page, say }) {
  const view = await page('/debug/');
  const row = view.locator('#maps-table tr[data-key="sessions"]');
  const entries = () => row.evaluate((of) => Number(of.cells[[...of.closest('table').tHead.rows[0].cells].findIndex((head) => head.dataset.col === 'entries')].dataset.v));
  await row.locator('a').focus();
  const before = await entries();
  while ((await entries()) <= before) await refreshed(view);
  assert.ok(await row.locator('a').evaluate((of) => of === document.activeElement), 'the focus stays where it was');
  await view.waitForSelector('#maps-table .spark path');
  await view.waitForSelector('#chart svg .line');
  say(`sessions went from ${before} to ${await entries()} entries without a reload`);
}

export async function sort({ page }) {
  const view = await page('/debug/');
  const head = (column) => view.locator(`#maps-table th[data-col="${column}"] button`);
  await head('entries').click();
  let values = await figures(view, 'maps-table', 'entries');
  assert.ok(values.length >= 5);
  assert.deepEqual(values, values.toSorted((a, b) => b - a), 'most entries first');
  await head('entries').click();
  values = await figures(view, 'maps-table', 'entries');
  assert.deepEqual(values, values.toSorted((a, b) => a - b), 'fewest entries first');
  assert.equal(await view.locator('#maps-table th[data-col="entries"]').getAttribute('aria-sort'), 'ascending');
  await head('name').focus();
  await view.keyboard.press('Enter');
  const sorted = await names(view, 'maps-table');
  assert.deepEqual(sorted, sorted.toSorted(), 'by name, with the keyboard');
  await refreshed(view);
  assert.deepEqual(await names(view, 'maps-table'), sorted, 'the order outlives a refresh');
}

export async function filter({ page }) {
  const view = await page('/debug/');
  const field = view.locator('.tools[data-for="maps-table"] input');
  await field.fill('SESS');
  assert.deepEqual(await names(view, 'maps-table'), ['sessions']);
  await refreshed(view);
  assert.deepEqual(await names(view, 'maps-table'), ['sessions'], 'the filter outlives a refresh');
  await field.fill('');
  assert.ok((await names(view, 'maps-table')).length >= 5);
}
