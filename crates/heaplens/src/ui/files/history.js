// The past: the chart of memory or of a map, the lines in the table of maps, and the two moments
// that are picked. Where nothing is recorded, what this page has seen itself.
import { json, Trouble } from './ask.js';
import { Chart } from './chart.js';
import { byId, make } from './dom.js';
import { bytes, count } from './format.js';
import { spark } from './spark.js';

/** Points of the chart, and of the small lines. */
const [POINTS, SPARKS] = [360, 60];
/** Seconds between looks at the record; it grows every 15 s. */
const EVERY = 15;

const map = document.documentElement.dataset.map;
const OF_PROCESS = [
  { key: 'allocated', label: 'Allocated', area: true },
  { key: 'active', label: 'Active' },
  { key: 'resident', label: 'Resident' },
  { key: 'retained', label: 'Retained' },
];
const OF_MAP = [
  { key: 'bytes', label: 'Heap', area: true },
  { key: 'entries', label: 'Entries', right: true },
];

let chart;
/** The record, once it was fetched; `false` where there is none. */
let recorded = document.documentElement.dataset.recorded === undefined ? false : null;
let asked = 0;
/** What this page has seen: of the chart, and of each map. */
const seen = { times: [] };
const ofMaps = new Map();
/** Points of it that are kept. */
const MOST = 2000;
/** The place of the entries in a row of the table of maps. */
const ENTRIES = 3;

/** Fetches the record and draws it, now and whenever the page is refreshed. */
export function showHistory() {
  const place = byId('chart');
  if (!place) return;
  place.dataset.js = '';
  chart = new Chart(place, {
    series: map === undefined ? OF_PROCESS : OF_MAP,
    write: bytes,
    writeRight: count,
    label: map === undefined ? 'Memory of the process over time' : 'Heap and entries of the map over time',
    onpick: (from, to) => document.dispatchEvent(new CustomEvent('picked', { detail: { from, to } })),
  });
  document.addEventListener('refreshed', () => {
    note();
    look();
  });
  document.addEventListener('unpick', () => chart.unpick());
  note();
  look();
}

/** Keeps the figures that the document shows now. */
function note() {
  const figures = byId('figures')?.dataset;
  if (!figures?.at) return;
  const at = Number(figures.at);
  if (seen.times.at(-1) >= at) return;
  seen.times.push(at);
  for (const { key } of map === undefined ? OF_PROCESS : OF_MAP) {
    (seen[key] ??= []).push(figures[key] ? Number(figures[key]) : null);
  }
  seen.limit = figures.limit ? Number(figures.limit) : null;
  if (seen.times.length > MOST) Object.values(seen).forEach((of) => Array.isArray(of) && of.shift());
  for (const row of document.querySelectorAll('#maps-table tbody tr')) {
    const of = ofMaps.get(row.dataset.key) ?? { name: row.dataset.key, times: [], entries: [] };
    ofMaps.set(row.dataset.key, of);
    of.times.push(at);
    of.entries.push(row.cells[ENTRIES].dataset.v === '' ? null : Number(row.cells[ENTRIES].dataset.v));
    if (of.times.length > MOST) [of.times, of.entries].forEach((list) => list.shift());
  }
}

async function look() {
  if (recorded !== false && Date.now() - asked >= EVERY * 1000) {
    asked = Date.now();
    await Promise.all([fetched(map === undefined ? '' : `map=${encodeURIComponent(map)}&`, POINTS, (record) => (recorded = record)), map === undefined && byId('maps-table') && fetched('maps=all&', SPARKS, (record) => sparks(record.maps ?? [...ofMaps.values()]))]);
  }
  draw();
}

/** Fetches of the record; what cannot be had now may be had the next time. */
async function fetched(what, points, then) {
  try {
    then(await json(`history?${what}points=${points}`));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
  }
}

function draw() {
  if (recorded === false) sparks([...ofMaps.values()]);
  if (!recorded) {
    chart.set({ ...seen, marks: [], snapshots: [], note: recorded === false ? 'History is not recorded in this process: drawn is what this page has seen since it was opened.' : '' });
    return;
  }
  const marks = (recorded.verdicts ?? []).map(markOf).filter((of) => of.at && (map === undefined || of.name === map));
  const snapshots = (recorded.snapshots ?? []).map((of) => ({ id: of.id, at: Date.parse(of.taken_at) / 1000, bytes: of.inuse_bytes }));
  const of = map === undefined ? recorded.process : recorded.maps?.find((of) => of.name === map);
  const note = of?.times?.length > 1 ? '' : 'Recorded since a moment ago: a point every 15 s.';
  chart.set({ ...continued(of), limit: map === undefined ? (recorded.process?.limit ?? null) : null, marks, snapshots, note });
}

/** What is recorded, and what this page has seen after that. */
function continued(of) {
  if (!of?.times?.length) return seen;
  const from = seen.times.findIndex((at) => at > of.times.at(-1));
  if (from < 0) return of;
  const whole = {};
  for (const [key, list] of Object.entries(of)) {
    if (Array.isArray(list)) whole[key] = [...list, ...(seen[key] ?? new Array(seen.times.length).fill(null)).slice(from)];
  }
  return whole;
}

function markOf(verdict) {
  const at = typeof verdict.at === 'number' ? verdict.at : Date.parse(verdict.at) / 1000;
  return { at, name: verdict.name, state: verdict.to, text: `${verdict.name}: ${verdict.from} → ${verdict.to}` };
}

function sparks(maps) {
  const rows = new Map([...document.querySelectorAll('#maps-table tbody tr')].map((row) => [row.dataset.key, row]));
  for (const of of maps) {
    const cell = rows.get(of.name)?.querySelector('.spark');
    if (cell && of.times.length > 1) spark(cell, of.times, of.entries);
    else if (cell) cell.replaceChildren(make('span', { class: 'unknown' }, '–'));
  }
}

/** The snapshot at or before a moment, as the server would take it; `null` if none is kept. */
export function snapshotAt(at) {
  const before = (recorded?.snapshots ?? []).filter((of) => Date.parse(of.taken_at) / 1000 <= at + 0.5);
  const last = before.at(-1) ?? recorded?.snapshots?.[0];
  return last ? { id: last.id, at: Date.parse(last.taken_at) / 1000 } : null;
}

