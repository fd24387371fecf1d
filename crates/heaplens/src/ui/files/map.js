// What only the page of a map has: how old what it holds is, and what dropping it would free.
import { json } from './ask.js';
import { byId, make } from './dom.js';
import { bytes, percent } from './format.js';
import { showRetained } from './retained.js';

const AGES = [
  ['1m', '1 min'],
  ['10m', '10 min'],
  ['1h', '1 h'],
];

/** Fetches and draws, on the page of a map. */
export function showMap() {
  const map = document.documentElement.dataset.map;
  if (map === undefined) return;
  showRetained(map);
  showAges(map);
}

async function showAges(map) {
  const place = byId('ages');
  place.dataset.js = '';
  const total = async (more) => {
    const query = new URLSearchParams({ format: 'sites', symbolize: 'none', map, ...more });
    return (await json(`heap?${query}`)).totals.inuse_space.value;
  };
  try {
    const older = [await total({})];
    for (const [age] of AGES) older.push(await total({ older: age }));
    if (older[0] > 0) place.replaceChildren(...bar(older));
  } catch {
    // The other figures stand without it.
  }
}

/** `older` is what is of any age, and what is older than each of the ages. */
function bar(older) {
  const names = [`under ${AGES[0][1]}`, ...AGES.map(([, text], at) => (at + 1 < AGES.length ? `${text} to ${AGES[at + 1][1]}` : `over ${text}`))];
  const parts = older.map((value, at) => Math.max(0, value - (older[at + 1] ?? 0)));
  const boxes = [];
  const keys = [];
  parts.forEach((value, at) => {
    if (value === 0) return;
    const box = make('span', { class: `age-${at}` });
    box.style.width = `${(value / older[0]) * 100}%`;
    boxes.push(box);
    keys.push(make('li', null, make('span', { class: `swatch age-${at}`, 'aria-hidden': 'true' }), `${names[at]}: ${bytes(value)} (${percent(value / older[0])})`));
  });
  return [make('h3', null, 'Age of what it holds'), make('div', { class: 'ages', 'aria-hidden': 'true' }, ...boxes), make('ul', { class: 'keys' }, ...keys)];
}
