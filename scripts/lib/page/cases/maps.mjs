// The page of a map.
import assert from 'node:assert/strict';

import { FAILED, SCREENS, drawn, top } from '../doing.mjs';

export async function map({ page, shot }) {
  const view = await page('/debug/?map=sessions');
  assert.equal(await view.locator('h1').innerText(), 'sessions');
  await drawn(view);
  await view.waitForSelector('#ages .keys li');
  // The agent may have measured it by itself.
  const begun = view.waitForResponse((answer) => answer.request().method() === 'POST' && answer.status() === 202);
  await view.getByRole('button', { name: /^Measure (now|again)$/ }).click();
  await begun;
  await view.waitForSelector('#retained-view .big');
  assert.match(await view.locator('#retained-view .big').innerText(), /[KM]iB/);
  await view.getByRole('button', { name: 'Show as a flame graph' }).click();
  await view.waitForSelector('#flame-view .toolbar.second .told:has-text("dropping it would free")');
  assert.match(await view.locator('#flame-told').innerText(), /iB/);
  await view.getByRole('button', { name: 'Show now' }).click();
  await view.waitForSelector('#flame-view .toolbar.second .told:has-text("Taken")');
  for (const [name, options] of SCREENS) {
    const other = await page('/debug/?map=sessions', options);
    await drawn(other);
    await other.waitForSelector('#ages .keys li');
    await top(other);
    await shot(other, `map-${name}`, { fullPage: true });
  }
}

export async function unknown({ page }) {
  const view = await page('/debug/?map=%3Cscript%3E', { expected: [FAILED] });
  assert.match(await view.locator('body').innerText(), /there is no map named "<script>"/);
}
