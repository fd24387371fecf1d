// The flame graph.
import assert from 'node:assert/strict';

import { drawn, frames } from '../doing.mjs';
import { tree } from '../heap.mjs';

export async function flame({ page, shot, say }) {
  const view = await page('/debug/');
  await drawn(view);
  const told = view.locator('#flame-told');
  const canvas = view.locator('#flame-view canvas');
  assert.match(await told.innerText(), /^all: .*100 % of all/);
  await view.fill('#flame-search', 'create_session');
  assert.match(await view.locator('#flame-view output').innerText(), /% of it$/);
  const all = await frames(view);
  await canvas.focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await view.keyboard.press(key);
  assert.doesNotMatch(await told.innerText(), /^all:/);
  assert.ok((await frames(view)) <= all, 'a part has no more than all');
  await shot(view, 'flame-search', {});
  await view.getByRole('button', { name: 'Reset zoom' }).click();
  assert.match(await told.innerText(), /^all:/);
  await canvas.click({ position: { x: 60, y: 50 } });
  assert.doesNotMatch(await told.innerText(), /^all:/, 'a click zooms');
  await view.keyboard.press('Escape');
  await canvas.hover({ position: { x: 200, y: 30 } });
  await view.waitForSelector('.tip:not([hidden])');
  await view.getByText('As a table').click();
  await view.waitForSelector('.functions tbody tr');
  assert.match(await view.locator('.functions tbody').innerText(), /create_session/);
  say(`${all} frames in ${await canvas.getAttribute('data-ms')} ms`);
}

/** All that can be chosen of what the graph shows. */
export async function choices({ page, shot }) {
  const view = await page('/debug/');
  await drawn(view);
  const told = view.locator('#flame-told');
  await view.getByLabel('Inverted').check();
  await shot(view, 'flame-inverted', {});
  await view.getByLabel('Inverted').uncheck();
  const own = await frames(view);
  await view.getByLabel('From own code').uncheck();
  assert.ok((await frames(view)) > own, 'the runtime is below');
  await view.getByLabel('From own code').check();
  await view.getByLabel('Sample type').selectOption('alloc_objects');
  assert.doesNotMatch(await told.innerText(), /iB/);
  await view.getByLabel('Sample type').selectOption('inuse_space');
  await view.getByLabel('Label', { exact: true }).selectOption({ label: 'map: sessions' });
  const share = await told.innerText();
  assert.match(share, /^all: /);
  await view.getByLabel('Label', { exact: true }).selectOption('');
  assert.notEqual(await told.innerText(), share, 'a map holds a part of all');
  await view.getByLabel('Age', { exact: true }).selectOption('24h');
  await view.waitForSelector('#flame-view .empty:not([hidden]):has-text("Nothing is left")');
  await view.getByLabel('Age', { exact: true }).selectOption('');
  await drawn(view);
}

/** Changes from now on, with progress. */
export async function watch({ page, shot }) {
  const view = await page('/debug/');
  await drawn(view);
  await view.getByLabel('Length of the window').selectOption('10');
  await view.getByRole('button', { name: 'Watch what changes' }).click();
  await view.waitForSelector('#flame-view .progress:not([hidden])');
  await shot(view, 'flame-progress', {});
  await view.waitForSelector('#flame-view .toolbar.second .told:has-text("in all")');
  assert.match(await view.locator('#flame-view .toolbar.second .told').innerText(), /\+[\d.]+ [KM]iB in all/);
  await view.locator('#flame').scrollIntoViewIfNeeded();
  await shot(view, 'flame-difference', {});
  await view.getByRole('button', { name: 'Show now' }).click();
  await view.waitForSelector('#flame-view .toolbar.second .told:has-text("Taken")');
}

/** Names that would be markup, if any were made of them. */
export async function hostile({ page }) {
  const name = '<img src=x onerror=alert(1)>"\'&\u202e';
  const heap = tree(20, 5, 2);
  heap.strings = heap.strings.map((text, at) => (at > 1 ? `${name}::f${at}` : text));
  heap.labels[1] = [['map', name]];
  const view = await page('/debug/', { routes: { '**/heap?format=tree*': (route) => route.fulfill({ json: heap }) } });
  await drawn(view);
  await view.locator('#flame-view canvas').hover({ position: { x: 200, y: 30 } });
  await view.waitForSelector('.tip:not([hidden])');
  assert.ok((await view.locator('.tip').innerText()).includes('<img src=x onerror=alert(1)>"\'&\\u{202e}'));
  await view.getByText('As a table').click();
  await view.waitForSelector('.functions tbody tr');
  assert.equal(await view.locator('main img, .tip img').count(), 0);
}
