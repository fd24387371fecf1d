// The past: the chart of memory or of a map, the lines in the table of maps, and the two moments
// that are picked. Where nothing is recorded, what this page has seen itself.
import { json, Trouble } from './ask.js';
import { Chart } from './chart.js';
import { byId, make } from './dom.js';
import { bytes, count } from './format.js';
import { spark } from './spark.js';

/** Points of the chart, and of the small lines. */
const [POINTS, SPARKS] = [360, 48];
/** Seconds between looks at the record, which grows every 15 s, and at that of all maps. */
const [EVERY, EVERY_MAP] = [15, 60];

const RANGES = [
  ['', 'All that is kept'],
  ['-24h', 'Last day'],
  ['-3h', 'Last 3 h'],
  ['-30m', 'Last 30 min'],
];

/** What this is the page of, and whether maps are recorded as well as the process. */
const { map, watched } = document.documentElement.dataset;
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
let range = '';
/** The record, once it was fetched; `false` where there is none. */
let recorded = document.documentElement.dataset.recorded === undefined ? false : null;
/** When they were asked for last. */
let asked = 0;
let askedMaps = 0;
/** What is recorded of each map, by name. */
let recordedMaps = new Map();
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
    ranges: recorded === false ? null : RANGES,
    range,
    onrange: (chosen) => {
      range = chosen;
      asked = 0;
      look();
    },
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
  const now = Date.now();
  const due = [];
  if (recorded !== false && now - asked >= EVERY * 1000) {
    asked = now;
    const what = map === undefined || watched === undefined ? '' : `map=${encodeURIComponent(map)}&`;
    due.push(fetched(range ? `${what}from=${range}&` : what, POINTS, (record) => (recorded = record)));
  }
  if (watched !== undefined && byId('maps-table') && now - askedMaps >= EVERY_MAP * 1000) {
    askedMaps = now;
    due.push(fetched('maps=all&', SPARKS, (record) => (recordedMaps = new Map(record.maps.map((of) => [of.name, of])))));
  }
  await Promise.all(due);
  draw();
  sparks();
}

/** Fetches of the record; what cannot be had now may be had the next time. */
async function fetched(what, points, then) {
  try {
    then(await json(`history?${what}points=${points}`));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
  }
}

const OWN = 'Drawn is what this page has seen since it was opened.';

function draw() {
  if (!recorded) {
    chart.set({ ...seen, marks: [], snapshots: [], note: recorded === false ? `History is not recorded in this process. ${OWN}` : '' });
    return;
  }
  const marks = (recorded.verdicts ?? []).filter(isNotable).map(markOf);
  const snapshots = (recorded.snapshots ?? []).map((of) => ({ id: of.id, at: Date.parse(of.taken_at) / 1000, bytes: of.inuse_bytes }));
  const of = map === undefined ? recorded.process : recorded.maps?.find((of) => of.name === map);
  const limit = map === undefined ? (recorded.process?.limit ?? null) : null;
  chart.set({ ...continued(of, seen), limit, marks, snapshots, note: noteOn(of) });
}

function noteOn(of) {
  if (of?.times?.length > 1) return '';
  return map !== undefined && watched === undefined ? `Maps are not recorded in this process. ${OWN}` : 'Recorded since a moment ago: a point every 15 s.';
}

/** What is recorded, and what this page has seen after that. */
function continued(of, seen) {
  if (!of?.times?.length || !seen) return of ?? seen;
  const from = seen.times.findIndex((at) => at > of.times.at(-1));
  if (from < 0) return of;
  const whole = {};
  for (const [key, list] of Object.entries(of)) {
    if (Array.isArray(list)) whole[key] = [...list, ...(seen[key] ?? new Array(seen.times.length).fill(null)).slice(from)];
  }
  return whole;
}

/** Of the map of this page every change; else what alarms, and when it ceases to. */
function isNotable({ kind, name, from, to }) {
  if (map !== undefined) return kind === 'map' && name === map;
  return kind === 'map' && [from, to].some((state) => ALARMING.has(state));
}
const ALARMING = new Set(['suspect', 'leak']);

function markOf(verdict) {
  const at = typeof verdict.at === 'number' ? verdict.at : Date.parse(verdict.at) / 1000;
  return { at, name: verdict.name, state: verdict.to, text: `${verdict.name}: ${verdict.from} → ${verdict.to}` };
}

function sparks() {
  for (const row of document.querySelectorAll('#maps-table tbody tr')) {
    const cell = row.querySelector('.spark');
    const of = continued(recordedMaps.get(row.dataset.key), ofMaps.get(row.dataset.key));
    if (cell && of?.times.length > 1) spark(cell, of.times, of.entries);
    else if (cell) cell.replaceChildren(make('span', { class: 'unknown' }, '–'));
  }
}

/** The snapshot at or before a moment, as the server would take it; `null` if none is kept. */
export function snapshotAt(at) {
  const before = (recorded?.snapshots ?? []).filter((of) => Date.parse(of.taken_at) / 1000 <= at + 0.5);
  const last = before.at(-1) ?? recorded?.snapshots?.[0];
  return last ? { id: last.id, at: Date.parse(last.taken_at) / 1000 } : null;
}

