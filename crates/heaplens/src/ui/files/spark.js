// A line as high as a row, for the shape of a series alone.
import { make } from './dom.js';
import { count } from './format.js';

const [WIDTH, HEIGHT] = [88, 22];

/** Draws it into a cell. */
export function spark(cell, times, values) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const [first, last] = [times[0], times.at(-1)];
  const x = (time) => ((time - first) / (last - first || 1)) * (WIDTH - 4) + 2;
  const y = (value) => HEIGHT - 3 - ((value - low) / (high - low || 1)) * (HEIGHT - 6);
  let line = '';
  values.forEach((value, at) => {
    if (value !== null) line += `${line ? 'L' : 'M'}${x(times[at]).toFixed(1)} ${y(value).toFixed(1)}`;
  });
  const title = `${count(known[0])} to ${count(known.at(-1))} entries, between ${count(low)} and ${count(high)}`;
  const old = cell.querySelector('path');
  if (old) {
    old.setAttribute('d', line);
    cell.querySelector('title').textContent = title;
    return;
  }
  cell.replaceChildren(
    make('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: 'img', 'aria-label': title }, make('title', null, title), make('path', { d: line })),
  );
}
