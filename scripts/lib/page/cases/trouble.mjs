// What is shown when things go wrong or are not there, and that it goes away again.
import assert from 'node:assert/strict';
import http from 'node:http';

import { FAILED, drawn, refreshed, top } from '../doing.mjs';
import { start } from '../service.mjs';

const LIVE = '**/debug/?part=live';
/** As if the page came into view. */
const look = (page) => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));

export async function trouble({ page, shot }) {
  let answer = { status: 401, contentType: 'text/plain', body: 'a token is needed' };
  const view = await page('/debug/', { expected: [FAILED], routes: { [LIVE]: (route) => (answer ? route.fulfill(answer) : route.continue()) } });
  await look(view);
  await view.waitForSelector('#trouble:not([hidden]):has-text("token is no longer accepted")');
  await shot(view, 'trouble-unauthorised', {});
  answer = { status: 500, contentType: 'text/plain', body: 'it broke' };
  await look(view);
  await view.waitForSelector('#trouble:has-text("cannot answer")');
  await view.waitForSelector('#live:has-text("Not up to date")');
  answer = { status: 429, contentType: 'text/plain', body: '8 other requests are waiting' };
  await look(view);
  await view.waitForSelector('#live:has-text("busy")');
  answer = null;
  await refreshed(view);
  await view.waitForSelector('#trouble', { state: 'hidden' });
  await view.waitForSelector('#live:has-text("Live")');
}

export async function offline({ page, shot }) {
  const view = await page('/debug/', { expected: [FAILED] });
  await drawn(view);
  await view.route(LIVE, (route) => route.abort());
  await look(view);
  await view.waitForSelector('#trouble:not([hidden]):has-text("cannot be reached")');
  await shot(view, 'trouble-offline', {});
}

/** Behind a token, which the browser asks for and sends with whatever the page fetches. */
export async function token({ page, program, also }) {
  const secret = '0123456789abcdef0123456789abcdef';
  const service = await start(program, ['--rate', '100'], { HEAPLENS_TOKEN: secret });
  also(service.stop);
  const view = await page(`${service.url}/debug/`, { httpCredentials: { username: 'oncall', password: secret } });
  await refreshed(view);
  await view.locator('#flame-view').scrollIntoViewIfNeeded();
  await view.waitForSelector('#flame-view .toolbar.second .told:has-text("Taken")');
  // Without it browsers ask for one, which a test cannot see.
  const refused = await fetch(`${service.url}/debug/`);
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get('www-authenticate'), /^Basic/m);
  assert.match(await refused.text(), /a token is needed/);
}

/** Behind a proxy that serves it below a path of its own. */
export async function prefix({ page, service, also }) {
  const proxy = http.createServer((request, answer) => {
    const target = new URL(request.url.replace(/^\/ops\/heap/, ''), service.url);
    const headers = { ...request.headers, host: target.host };
    request.pipe(http.request(target, { method: request.method, headers }, (from) => from.pipe(answer.writeHead(from.statusCode, from.headers))));
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  also(() => proxy.close());
  const base = `http://127.0.0.1:${proxy.address().port}/ops/heap`;
  const view = await page(`${base}/debug/`);
  await drawn(view);
  const live = view.waitForResponse((answer) => answer.url().startsWith(`${base}/debug/?part=live`) && answer.ok());
  await refreshed(view);
  await live;
  await view.locator('#maps-table tr[data-key="sessions"] a').click();
  assert.equal(view.url(), `${base}/debug/?map=sessions`);
  await drawn(view);
  await view.getByText('All maps').click();
  assert.equal(view.url(), `${base}/debug/`);
  assert.match(await view.locator('#commands code').first().innerText(), new RegExp(`'${base}/debug/heap'`));
}

/** Where nothing is sampled the page says so, and what to do. */
export async function off({ page, program, shot, also }) {
  const service = await start(program, ['--rate', '100'], { HEAPLENS_SAMPLE_INTERVAL: '0' });
  also(service.stop);
  const view = await page(`${service.url}/debug/`);
  assert.match(await view.locator('#state').innerText(), /Sampling is off/);
  await view.locator('#flame-view').scrollIntoViewIfNeeded();
  await view.waitForSelector('#flame-view .empty:not([hidden]):has-text("Nothing is sampled")');
  await top(view);
  await shot(view, 'off-1440', { fullPage: true });
}
