// The past: the chart of memory or of a map, the lines in the table of maps, and the two moments
// that are picked. Where nothing is recorded, what this page has seen itself.
import { json, Trouble } from './ask.js';
import { Chart } from './chart.js';
import { byId, make } from './dom.js';
import { bytes, count } from './format.js';
import { spark } from './spark.js';

const POINTS = 360;
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
let recorded = null;
let asked = 0;
/** What this page has seen. */
const seen = { times: [] };

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
  if (seen.times.length > 2000) Object.values(seen).forEach((of) => Array.isArray(of) && of.shift());
}

async function look() {
  if (recorded !== false && Date.now() - asked >= EVERY * 1000) {
    asked = Date.now();
    const query = map === undefined ? 'maps=all' : `map=${encodeURIComponent(map)}`;
    try {
      recorded = await json(`history?${query}&points=${POINTS}`);
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      // Anything else may go away.
      if (error.kind === 'missing') recorded = false;
    }
  }
  draw();
}

function draw() {
  if (!recorded) {
    chart.set({ ...seen, marks: [], snapshots: [], note: recorded === false ? 'History is not recorded in this process: drawn is what this page has seen since it was opened.' : '' });
    return;
  }
  const marks = (recorded.verdicts ?? []).map(markOf).filter((of) => of.at && (map === undefined || of.name === map));
  const snapshots = (recorded.snapshots ?? []).map((of) => ({ id: of.id, at: Date.parse(of.taken_at) / 1000, bytes: of.inuse_bytes }));
  const of = map === undefined ? recorded.process : recorded.maps?.find((of) => of.name === map);
  const note = of?.times?.length ? '' : 'Nothing is recorded yet: the first point comes after 15 s.';
  chart.set({ ...(of?.times?.length ? of : seen), limit: map === undefined ? (recorded.process?.limit ?? null) : null, marks, snapshots, note });
  sparks(recorded.maps ?? []);
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

/** Whether the past can be looked at: `null` while that is not known. */
export const isRecorded = () => (recorded === null ? null : recorded !== false);
