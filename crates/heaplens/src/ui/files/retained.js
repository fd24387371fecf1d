// Measures what dropping a map would free: by dropping it in a copy of the process.
import { json, post, root } from './ask.js';
import { button, byId, make, visible } from './dom.js';
import { bytes, clock, count } from './format.js';

/** Milliseconds between looks at a measurement that runs. */
const EVERY = 500;

/** Sizes of blocks that are listed. */
const SIZES = 8;

let place;
let path;

/** Shows the last measurement and offers another, if the server does. */
export async function showRetained(map) {
  place = byId('retained-view');
  if (place.dataset.offered === undefined) return;
  path = `maps/${encodeURIComponent(map)}/retained`;
  try {
    await follow(await json(path));
  } catch (error) {
    show({ state: 'failed', error: error.message });
  }
}

async function measure() {
  try {
    await follow(await post(path));
  } catch (error) {
    show({ state: 'failed', error: error.message });
  }
}

async function follow(measurement) {
  const begun = Date.now();
  while (measurement.state === 'running') {
    show(measurement, (Date.now() - begun) / 1000);
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    measurement = await json(path);
  }
  show(measurement);
}

function show(of, seconds) {
  const again = button(of.state === 'done' ? 'Measure again' : 'Measure now', measure, { class: 'primary' });
  const parts = {
    none: () => [make('p', { class: 'empty' }, 'Not measured yet. It is measured exactly, by dropping the map in a copy of the process; the process itself pauses for some milliseconds.'), again],
    running: () => [make('div', { class: 'progress' }, make('progress', { 'aria-label': 'Measuring' }), make('span', { role: 'status' }, `Measuring for ${seconds.toFixed(0)} s`))],
    done: () => done(of, again),
    failed: () => [make('p', { class: 'empty' }, `It could not be measured: ${visible(of.error ?? 'no reason is given')}`), again],
  };
  place.replaceChildren(...(parts[of.state] ?? parts.none)());
}

function done(of, again) {
  const least = of.is_lower_bound ? 'at least ' : '';
  const taken = of.taken_at ? `, measured ${clock(Date.parse(of.taken_at) / 1000)} UTC` : '';
  const paused = typeof of.pause_seconds === 'number' ? `, process paused ${(of.pause_seconds * 1000).toFixed(1)} ms` : '';
  const graph = () => document.dispatchEvent(new CustomEvent('retained', { detail: `${path}?format=tree` }));
  return [
    make('p', { class: 'big', role: 'status' }, `${least}${bytes(of.bytes)}`),
    make('p', { class: 'note' }, `${count(of.blocks)} blocks${taken}${paused}`),
    of.unmeasured_count ? make('p', { class: 'note' }, `${count(of.unmeasured_count)} of ${count(of.maps_count)} maps could not be measured: ${visible((of.failures ?? []).join('; '))}`) : null,
    sizes(of.classes ?? []),
    make('p', { class: 'row' }, again, button('Show as a flame graph', graph), make('a', { class: 'button', href: `${root}${path}?format=pprof` }, 'pprof file')),
  ].filter(Boolean);
}

/** Blocks by size, those with the most bytes first. */
function sizes(classes) {
  if (!classes.length) return null;
  const rows = classes.toSorted((one, other) => other.bytes - one.bytes).slice(0, SIZES);
  const cells = (of) => [bytes(of.size_class), count(of.blocks), bytes(of.bytes)].map((text) => make('td', { class: 'n' }, text));
  const heads = ['Blocks of up to', 'Blocks', 'Bytes'].map((text) => make('th', { scope: 'col', class: 'n' }, text));
  const rest = classes.length - rows.length;
  return make(
    'details',
    { class: 'sizes' },
    make('summary', null, 'By size'),
    make('table', null, make('thead', null, make('tr', null, ...heads)), make('tbody', null, ...rows.map((of) => make('tr', null, ...cells(of))))),
    rest > 0 ? make('p', { class: 'note' }, `and ${count(rest)} smaller ones`) : null,
  );
}
