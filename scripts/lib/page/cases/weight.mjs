// What the page costs: the agent, and the browser where there is much to show.
import assert from 'node:assert/strict';

import { drawn, frames, refreshed } from '../doing.mjs';
import { agentSeconds } from '../service.mjs';

/** Ten thousand call sites, from the request to the drawn graph. */
export async function large({ page, say, large }) {
  // Functions are named once in a process.
  await (await fetch(`${large.url}/debug/heap?format=tree`)).arrayBuffer();
  const view = await page(`${large.url}/debug/`);
  await view.waitForSelector('#maps-table thead button');
  const took = await view.evaluate(async () => {
    const until = (done) => new Promise((resolve) => (function look() { done() ? resolve() : requestAnimationFrame(look); })());
    const canvas = document.querySelector('#flame-view canvas');
    const begun = performance.now();
    document.querySelector('#flame-view').scrollIntoView();
    await until(() => Number(canvas.dataset.frames) > 0);
    const whole = performance.now() - begun;
    const [request] = performance.getEntriesByType('resource').filter((of) => of.name.includes('format=tree'));
    return { whole, fetched: request.responseEnd - request.startTime, bytes: request.decodedBodySize };
  });
  const redraw = async (act) => {
    const begun = await view.evaluate(() => performance.now());
    await act();
    return (await view.evaluate(() => performance.now())) - begun;
  };
  const inverted = await redraw(() => view.getByLabel('Inverted').check());
  const typed = await redraw(() => view.fill('#flame-search', 'graph'));
  const zoomed = await redraw(() => view.locator('#flame-view canvas').click({ position: { x: 100, y: 50 } }));
  assert.ok((await frames(view)) > 5);
  const ms = (time) => `${time.toFixed(0)} ms`;
  say(`10,000 sites (${(took.bytes / 1e6).toFixed(1)} MB): drawn ${ms(took.whole)} after they came into view, of that ${ms(took.fetched)} to fetch; inverted in ${ms(inverted)}, searched in ${ms(typed)}, zoomed in ${ms(zoomed)}`);
}

/** An open page costs the agent little. */
export async function polls({ page, service, large, seconds, say }) {
  for (const [name, of] of [['the example', service], ['200 groups and 10,000 sites', large]]) {
    const measure = async (view) => {
      const before = agentSeconds(of.pid);
      const begun = performance.now();
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      assert.ok(!view || view.isClosed() === false);
      return ((agentSeconds(of.pid) - before) / (performance.now() - begun)) * 1e5;
    };
    const without = await measure();
    const view = await page(`${of.url}/debug/`);
    await view.waitForSelector('#maps-table thead button');
    await refreshed(view);
    const open = await measure(view);
    await view.close();
    say(`agent's CPU in ${seconds} s, ${name}: ${open.toFixed(2)} % of a core with the page open, ${without.toFixed(2)} % without`);
  }
}

/** A page that nobody sees asks for nothing, however long. */
export async function hidden({ page }) {
  const view = await page('/debug/', { clock: true });
  await drawn(view);
  await refreshed(view);
  const asked = [];
  view.on('request', (request) => asked.push(request.url()));
  const hide = (is) =>
    view.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, is);
  await hide(true);
  await view.clock.runFor(3_600_000);
  assert.deepEqual(asked, [], 'in an hour');
  await hide(false);
  await view.waitForRequest(/part=live/);
}
