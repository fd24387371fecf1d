// What people do with the page, one function each.
import assert from 'node:assert/strict';
import http from 'node:http';

import { tree } from './large.mjs';
import { agentSeconds, start } from './service.mjs';

const NARROW = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const DARK = { colorScheme: 'dark' };
/** What browsers say by themselves of answers that are errors. */
const FAILED = /Failed to load resource/;

const names = (page, table) => page.locator(`#${table} tbody tr:not([hidden])`).evaluateAll((rows) => rows.map((row) => row.dataset.key));
const figures = (page, table, column) =>
  page.locator(`#${table} tbody tr:not([hidden])`).evaluateAll((rows, at) => rows.map((row) => Number(row.cells[at].dataset.v)), column);
const drawn = async (page) => {
  await page.locator('#flame-view').scrollIntoViewIfNeeded();
  await page.waitForFunction(() => Number(document.querySelector('#flame-view canvas')?.dataset.frames) > 0);
};
const frames = (page) => page.locator('#flame-view canvas').evaluate((canvas) => Number(canvas.dataset.frames));
const top = (page) => page.evaluate(() => scrollTo(0, 0));

export async function load({ page, shot, say }) {
  const view = await page('/debug/');
  await view.waitForSelector('#maps-table thead button');
  say(`${(view.bytes / 1024).toFixed(1)} KiB for the page with its scripts and style, as sent`);
  assert.match(await view.locator('#state h1').innerText(), /\S/);
  const maps = await names(view, 'maps-table');
  for (const map of ['sessions', 'metrics', 'closures', 'field', 'callbacks']) {
    assert.ok(maps.some((name) => name.includes(map)), `${map} in ${maps}`);
  }
  assert.ok((await names(view, 'sites-table')).length > 0, 'sites');
  await drawn(view);
  await top(view);
  await shot(view, 'overview-light-1440', { fullPage: true });
}

export async function dark({ page, shot }) {
  const view = await page('/debug/', DARK);
  await drawn(view);
  await top(view);
  await shot(view, 'overview-dark-1440', { fullPage: true });
  const ground = () => view.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await ground();
  await view.click('#theme');
  assert.notEqual(await ground(), before);
  await view.reload();
  assert.notEqual(await ground(), before, 'the choice is kept');
}

export async function narrow({ page, shot }) {
  for (const [name, scheme] of [['light', {}], ['dark', DARK]]) {
    const view = await page('/debug/', { ...NARROW, ...scheme });
    await drawn(view);
    await top(view);
    const wide = await view.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels wider than the screen`);
    await shot(view, `overview-${name}-390`, { fullPage: true });
  }
}

export async function accessible({ page, violations }) {
  for (const [target, options] of [['/debug/', {}], ['/debug/', DARK], ['/debug/', NARROW], ['/debug/?map=sessions', {}], ['/debug/?map=sessions', DARK]]) {
    const view = await page(target, options);
    const found = await violations(view);
    assert.deepEqual(found, [], `${target} ${JSON.stringify(options)}`);
  }
}

export async function live({ page, say }) {
  const view = await page('/debug/');
  const entries = () => view.locator('#maps-table tr[data-key="sessions"] td').nth(2).getAttribute('data-v');
  const link = view.locator('#maps-table tr[data-key="sessions"] a');
  await link.focus();
  const before = Number(await entries());
  await view.waitForFunction((old) => Number(document.querySelector('#maps-table tr[data-key="sessions"]').cells[3].dataset.v) > old, before);
  assert.ok(await link.evaluate((of) => of === document.activeElement), 'the focus stays where it was');
  say(`sessions went from ${before} to ${await entries()} entries without a reload`);
}

/** An idle page costs the agent little, and one that is hidden nothing. */
export async function idle({ page, service, say }) {
  const view = await page('/debug/');
  await view.waitForSelector('#maps-table thead button');
  const asked = [];
  view.on('request', (request) => asked.push(request.url()));
  const measure = async (seconds) => {
    const before = agentSeconds(service.pid);
    await view.waitForTimeout(seconds * 1000);
    return ((agentSeconds(service.pid) - before) / seconds) * 100;
  };
  const seconds = 30;
  const open = await measure(seconds);
  const polls = asked.length;
  assert.ok(polls > 0, 'it polls');
  await view.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await view.waitForTimeout(500);
  asked.length = 0;
  const hidden = await measure(seconds);
  assert.deepEqual(asked, [], 'nothing is asked while it is hidden');
  await view.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: false, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await view.waitForRequest(/part=live/);
  say(`agent CPU of ${seconds} s: ${open.toFixed(2)} % of a core with the page open (${polls} requests), ${hidden.toFixed(2)} % with it hidden`);
}

export async function sort({ page }) {
  const view = await page('/debug/');
  const head = (column) => view.locator(`#maps-table th[data-col="${column}"] button`);
  await head('entries').click();
  let values = await figures(view, 'maps-table', 3);
  assert.deepEqual(values, values.toSorted((a, b) => b - a), 'most entries first');
  await head('entries').click();
  values = await figures(view, 'maps-table', 3);
  assert.deepEqual(values, values.toSorted((a, b) => a - b), 'fewest entries first');
  assert.equal(await view.locator('#maps-table th[data-col="entries"]').getAttribute('aria-sort'), 'ascending');
  await head('name').focus();
  await view.keyboard.press('Enter');
  const sorted = await names(view, 'maps-table');
  assert.deepEqual(sorted, sorted.toSorted(), 'by name, with the keyboard');
  await view.waitForResponse(/part=live/);
  await view.waitForTimeout(200);
  assert.deepEqual(await names(view, 'maps-table'), sorted, 'the order outlives a refresh');
}

export async function filter({ page }) {
  const view = await page('/debug/');
  await view.locator('.tools[data-for="maps-table"] input').fill('SESS');
  assert.deepEqual(await names(view, 'maps-table'), ['sessions']);
  await view.waitForResponse(/part=live/);
  await view.waitForTimeout(200);
  assert.deepEqual(await names(view, 'maps-table'), ['sessions'], 'the filter outlives a refresh');
  await view.locator('.tools[data-for="maps-table"] input').fill('');
  assert.ok((await names(view, 'maps-table')).length >= 5);
}

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
  await view.getByText('As a table').click();
  await view.waitForSelector('.functions tbody tr');
  assert.match(await view.locator('.functions tbody').innerText(), /create_session/);
  await canvas.hover({ position: { x: 200, y: 30 } });
  await view.waitForSelector('.tip:not([hidden])');
  say(`${all} frames in ${await canvas.getAttribute('data-ms')} ms`);
}

/** Ten thousand sites of fifty functions each. */
export async function large({ page, say }) {
  const text = JSON.stringify(tree());
  const view = await page('/debug/', { routes: { '**/heap?format=tree*': (route) => route.fulfill({ contentType: 'application/json', body: text }) } });
  const whole = await view.evaluate(async () => {
    const until = (done) => new Promise((resolve) => (function look() { done() ? resolve() : requestAnimationFrame(look); })());
    const canvas = document.querySelector('#flame-view canvas');
    const fetched = performance.now();
    document.querySelector('#flame-view').scrollIntoView();
    await until(() => Number(canvas.dataset.frames) > 0);
    return performance.now() - fetched;
  });
  const redraw = async (act) => {
    const begun = await view.evaluate(() => performance.now());
    await act();
    return (await view.evaluate(() => performance.now())) - begun;
  };
  const inverted = await redraw(() => view.getByLabel('Inverted').check());
  const typed = await redraw(() => view.fill('#flame-search', 'function_12'));
  const zoomed = await redraw(() => view.locator('#flame-view canvas').click({ position: { x: 100, y: 50 } }));
  assert.ok((await frames(view)) > 5);
  say(`10,000 sites (${(text.length / 1e6).toFixed(1)} MB): fetched, read and drawn in ${whole.toFixed(0)} ms; inverted in ${inverted.toFixed(0)} ms, searched in ${typed.toFixed(0)} ms, zoomed in ${zoomed.toFixed(0)} ms`);
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

/** Two moments of the past, picked on the chart. */
export async function difference({ page, shot, service }) {
  const recorded = await fetch(`${service.url}/debug/history`);
  const view = await page('/debug/', { expected: [FAILED] });
  const chart = view.locator('#chart svg[role]');
  await view.waitForSelector('#chart svg .line');
  const box = await chart.boundingBox();
  const y = box.y + box.height / 2;
  await view.mouse.move(box.x + 90, y);
  await view.mouse.down();
  await view.mouse.move(box.x + box.width - 40, y, { steps: 8 });
  await view.mouse.up();
  await shot(view, 'chart-picked', {});
  await view.getByRole('button', { name: 'Compare A with B' }).click();
  if (recorded.status === 404) {
    await view.waitForSelector('#flame-view .empty:has-text("history is not recorded")');
    return;
  }
  await view.waitForSelector('#flame-view .toolbar.second .told:has-text("in all")');
  assert.match(await view.locator('#flame-view .toolbar.second .told').innerText(), /\+[\d.]+ [KM]iB in all/);
  await shot(view, 'flame-two-moments', {});
  // With the keyboard as well.
  await view.getByRole('button', { name: 'Clear' }).click();
  await chart.focus();
  for (const key of ['Home', 'Enter', 'End', 'Enter']) await view.keyboard.press(key);
  assert.match(await view.locator('#chart .picked').innerText(), /A .* to B /);
}

export async function map({ page, shot, service }) {
  const view = await page('/debug/?map=sessions', { expected: [FAILED] });
  assert.equal(await view.locator('h1').innerText(), 'sessions');
  await drawn(view);
  await view.waitForSelector('#ages .keys li');
  await top(view);
  const measure = view.getByRole('button', { name: 'Measure now' });
  const offered = (await fetch(`${service.url}/debug/maps/sessions/retained`)).ok;
  if (offered) {
    await measure.click();
    await view.waitForSelector('#retained-view .big');
    assert.match(await view.locator('#retained-view .big').innerText(), /[KM]iB/);
  }
  for (const [name, options] of [['light-1440', {}], ['dark-1440', DARK], ['light-390', NARROW], ['dark-390', { ...NARROW, ...DARK }]]) {
    const other = await page('/debug/?map=sessions', { ...options, expected: [FAILED] });
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

export async function scriptless({ page, shot }) {
  const view = await page('/debug/', { javaScriptEnabled: false });
  const text = await view.locator('main').innerText();
  for (const part of ['sessions', 'create_session', 'Allocated', 'Resident', 'go tool pprof', '/debug/pprof/', 'flame graph as a picture']) {
    assert.ok(text.includes(part), `${part} in ${text}`);
  }
  await shot(view, 'no-script-1440', { fullPage: true });
  await view.locator('#maps-table a').first().click();
  assert.match(view.url(), /\?map=/);
}

/** What is shown when things go wrong, and that it goes away again. */
export async function trouble({ page, shot, say }) {
  let answer = { status: 401, contentType: 'text/plain', body: 'a token is needed' };
  const view = await page('/debug/', {
    expected: [FAILED],
    routes: { '**/debug/?part=live': (route) => (answer ? route.fulfill(answer) : route.continue()) },
  });
  await view.waitForSelector('#trouble:not([hidden]):has-text("token is no longer accepted")');
  await shot(view, 'trouble-unauthorised', {});
  answer = { status: 500, contentType: 'text/plain', body: 'it broke' };
  await view.waitForSelector('#live:has-text("Not up to date")');
  answer = null;
  await view.waitForSelector('#trouble', { state: 'hidden' });
  assert.match(await view.locator('#live').innerText(), /^Live/);
  say('unauthorised and failing answers are told, and forgotten when they are over');
}

export async function offline({ page, shot }) {
  let cut = false;
  const view = await page('/debug/', {
    expected: [FAILED],
    routes: { '**/debug/?part=live': (route) => (cut ? route.abort() : route.continue()) },
  });
  cut = true;
  await view.waitForSelector('#trouble:not([hidden]):has-text("cannot be reached")');
  await shot(view, 'trouble-offline', {});
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

/** Behind a token, which the browser asks for and sends with whatever the page fetches. */
export async function token({ page, program, also }) {
  const secret = '0123456789abcdef0123456789abcdef';
  const service = await start(program, ['--rate', '100'], { HEAPLENS_TOKEN: secret });
  also(service.stop);
  const view = await page(`${service.url}/debug/`, { httpCredentials: { username: 'oncall', password: secret } });
  await view.waitForResponse((answer) => answer.url().includes('part=live') && answer.ok());
  await drawn(view);
  const refused = await page(`${service.url}/debug/`, { expected: [FAILED] });
  assert.match(await refused.locator('body').innerText(), /a token is needed/);
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
  await view.waitForResponse((answer) => answer.url().startsWith(`${base}/debug/?part=live`) && answer.ok());
  await view.locator('#maps-table tr[data-key="sessions"] a').click();
  assert.equal(view.url(), `${base}/debug/?map=sessions`);
  await drawn(view);
  await view.getByText('All maps').click();
  assert.equal(view.url(), `${base}/debug/`);
  assert.match(await view.locator('#commands code').first().innerText(), new RegExp(`'${base}/debug/heap'`));
}

/** The pictures of the README: the first screen once there is something to see in the trend lines. */
export async function pictures({ page, shot }) {
  for (const [name, options] of [['light', {}], ['dark', DARK]]) {
    const view = await page('/debug/', { viewport: { width: 1440, height: 1010 }, ...options });
    await view.waitForSelector('#maps-table .spark path');
    await shot(view, `page-${name}`, {});
  }
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
