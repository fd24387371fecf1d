// The flame graph with all around it: what is shown of which moment, search, differences.
import { json } from './ask.js';
import { copier, address } from './commands.js';
import { button, byId, choice, make, visible } from './dom.js';
import { Flame } from './flame.js';
import { bytes, clock, count, duration, ofType, percent, signed } from './format.js';
import { snapshotAt } from './history.js';
import { MODES, functionsOf, graphOf, labelsOf } from './tree.js';

const TYPES = [
  ['inuse_space', 'In use, bytes'],
  ['inuse_objects', 'In use, blocks'],
  ['alloc_space', 'Ever allocated, bytes'],
  ['alloc_objects', 'Ever allocated, blocks'],
  ['retained_space', 'Retained, bytes'],
  ['retained_objects', 'Retained, blocks'],
];
const AGES = [
  ['', 'Of any age'],
  ['1m', 'Older than 1 min'],
  ['10m', 'Older than 10 min'],
  ['1h', 'Older than 1 h'],
  ['24h', 'Older than 1 day'],
];
const WINDOWS = [
  ['10', '10 s'],
  ['30', '30 s'],
  ['60', '1 min'],
  ['300', '5 min'],
];
/** Functions listed below the graph. */
const LISTED = 100;

/** Fetches and draws, once the graph is about to be seen. */
export function showFlame() {
  const place = byId('flame-view');
  if (!place) return;
  const view = new View(place, document.documentElement.dataset.map);
  const seen = new IntersectionObserver((entries) => {
    if (entries.some((of) => of.isIntersecting)) {
      seen.disconnect();
      view.fetch();
    }
  }, { rootMargin: '400px' });
  seen.observe(place);
  const instead = (show) => ({ detail }) => {
    seen.disconnect();
    show(detail);
    byId('flame').scrollIntoView({ block: 'start' });
  };
  document.addEventListener('picked', instead(({ from, to }) => view.compare(from, to)));
  document.addEventListener('retained', instead((path) => view.retained(path)));
}

class View {
  constructor(place, map) {
    this.map = map;
    this.options = { type: 'inuse_space', label: '', inverted: false, own: true, mode: 'grew' };
    this.older = '';
    this.base = null;
    this.tree = null;
    this.build(place);
  }

  build(place) {
    const { options } = this;
    const set = (name) => (value) => {
      options[name] = value;
      this.draw();
    };
    this.labels = choice('Label', [['', 'All maps and labels']], '', set('label'));
    this.labels.classList.add('labels');
    this.ages = choice('Age', AGES, '', (value) => {
      this.older = value;
      this.base = null;
      this.fetch();
    });
    this.modes = choice('Difference', MODES, options.mode, set('mode'));
    this.modes.hidden = true;
    this.searched = make('output', { class: 'told' });
    const search = make('input', { type: 'search', placeholder: 'Search functions and files', 'aria-label': 'Search functions and files', id: 'flame-search' });
    search.addEventListener('input', () => this.search(search.value));
    this.reset = button('Reset zoom', () => this.flame.zoom(0), { hidden: true });
    this.now = button('Show now', () => this.leave(), { hidden: true });
    this.window = choice('Length of the window', WINDOWS, '30', () => {});
    this.watch = button('Watch what changes', () => this.watchFor(Number(this.window.value)));
    this.progress = make('div', { class: 'progress', hidden: true });
    const bar = make(
      'div',
      { class: 'toolbar', role: 'group', 'aria-label': 'What the flame graph shows' },
      (this.types = choice('Sample type', TYPES.slice(0, 4), options.type, set('type'))),
      this.map === undefined ? this.labels : null,
      this.ages,
      toggle('From own code', options.own, set('own'), 'Leave out what the runtime and libraries call before the first function of the program itself'),
      toggle('Inverted', options.inverted, set('inverted'), 'Begin with what allocated, and go up to its callers'),
      this.modes,
      search,
      this.searched,
    );
    const second = make('div', { class: 'toolbar second' }, (this.when = make('span', { class: 'told' })), button('Refresh', () => this.leave()), this.now, this.reset, make('span', { class: 'space' }), this.window, this.watch, this.copy());
    this.told = make('p', { class: 'told', role: 'status', id: 'flame-told' });
    this.canvas = make('canvas', { tabindex: 0, role: 'application', 'aria-roledescription': 'flame graph', 'aria-label': 'Flame graph. Arrow keys move among functions, Enter zooms, Escape zooms out.', 'aria-describedby': 'flame-told' });
    this.tip = make('div', { class: 'tip', hidden: true });
    this.empty = make('p', { class: 'empty' }, 'Fetching…');
    this.list = make('details', { class: 'functions' }, make('summary', null, 'As a table'));
    this.list.addEventListener('toggle', () => this.fill());
    place.replaceChildren(bar, second, this.progress, this.empty, make('div', { class: 'canvas' }, this.canvas), this.told, this.list, this.tip);
    this.flame = new Flame(this.canvas, {
      over: (node, x, y) => this.over(node, x, y),
      out: () => (this.tip.hidden = true),
      zoomed: (node) => {
        this.reset.hidden = node === 0;
        this.chosen(node);
      },
      chosen: (node) => this.chosen(node),
    });
  }

  query(more) {
    const query = new URLSearchParams({ format: 'tree', ...more });
    if (this.map !== undefined) query.set('map', this.map);
    if (this.older) query.set('older', this.older);
    return query;
  }

  copy() {
    const text = () => {
      const query = new URLSearchParams();
      if (this.map !== undefined) query.set('map', this.map);
      if (this.older) query.set('older', this.older);
      const rest = query.size ? `?${query}` : '';
      const base = this.base?.id === undefined ? '' : ` -diff_base='${address(`heap?at=${this.base.id}`)}'`;
      return `go tool pprof -http=: -sample_index=${this.options.type}${base} '${address(`heap${rest}`)}'`;
    };
    return copier(text, 'Copy pprof command', 'Copies the command that opens this in go tool pprof');
  }

  /** The heap as it is, or what a path answers instead. */
  async fetch(path) {
    this.wait('Fetching…');
    try {
      this.tree = await json(path ?? `heap?${this.query()}`);
      this.isRetained = path !== undefined;
      this.begin();
    } catch (error) {
      this.fail(error);
    }
  }

  /** What dropping a map would free. */
  retained(path) {
    this.older = '';
    this.ages.value = '';
    this.base = null;
    this.fetch(path);
  }

  leave() {
    this.base = null;
    document.dispatchEvent(new CustomEvent('unpick'));
    this.fetch();
  }

  /** What changed between two moments of the past. */
  async compare(from, to) {
    this.wait('Fetching both moments…');
    // Of the past it is not kept how old blocks were.
    this.older = '';
    this.ages.value = '';
    try {
      const [a, b] = [snapshotAt(from), snapshotAt(to)];
      if (!a || !b) throw new Error('no snapshots of these moments are kept: history is not recorded in this process. Watch what changes from now on instead');
      if (a.id === b.id) throw new Error(`both moments fall to the same snapshot, of ${clock(a.at)} UTC: pick moments further apart`);
      const [base, tree] = [await json(`heap?${this.query({ at: a.id })}`), await json(`heap?${this.query({ at: b.id })}`)];
      this.between(base, tree, a.id);
    } catch (error) {
      this.fail(error);
    }
  }

  /** What changes from now on. */
  async watchFor(seconds) {
    if (this.watching) {
      this.watching.abort();
      return;
    }
    this.watching = new AbortController();
    const { signal } = this.watching;
    const label = this.watch.textContent;
    this.watch.textContent = 'Stop';
    try {
      const base = await json(`heap?${this.query()}`, { signal });
      await this.count(seconds, signal);
      this.between(base, await json(`heap?${this.query()}`, { signal }));
    } catch (error) {
      if (error.name !== 'AbortError') this.fail(error);
    } finally {
      this.watch.textContent = label;
      this.watching = null;
      this.progress.hidden = true;
    }
  }

  count(seconds, signal) {
    const bar = make('progress', { max: seconds, value: 0, 'aria-label': 'The window' });
    const text = make('span', null, '');
    this.progress.replaceChildren(bar, text);
    this.progress.hidden = false;
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      const step = () => {
        const gone = (performance.now() - begun) / 1000;
        if (signal.aborted) return reject(new DOMException('stopped', 'AbortError'));
        bar.value = gone;
        text.textContent = `${duration(gone)} of ${duration(seconds)}`;
        if (gone >= seconds) return resolve();
        return setTimeout(step, 200);
      };
      step();
    });
  }

  between(base, tree, id) {
    this.base = { ...base, id };
    this.tree = tree;
    this.isRetained = false;
    this.begin();
  }

  begin() {
    const known = labelsOf(this.tree);
    const kept = known.some(([value]) => value === this.options.label) ? this.options.label : '';
    this.options.label = kept;
    this.labels.replaceChildren(...[['', 'All maps and labels'], ...known].map(([value, text]) => make('option', { value, selected: value === kept }, visible(text))));
    const types = TYPES.filter(([type]) => this.tree.types.includes(type));
    if (!types.some(([type]) => type === this.options.type)) this.options.type = types[0]?.[0];
    this.types.replaceChildren(...types.map(([value, text]) => make('option', { value, selected: value === this.options.type }, text)));
    this.modes.hidden = !this.base;
    this.ages.disabled = this.isRetained;
    this.now.hidden = !this.base && !this.isRetained;
    this.draw();
  }

  draw() {
    if (!this.tree) return;
    this.graph = graphOf(this.tree, this.base, this.options);
    this.write = ofType(this.options.type);
    const whole = this.graph.total[0];
    const at = (tree) => clock(Date.parse(tree.time) / 1000);
    this.when.textContent = this.base ? `${at(this.base)} to ${at(this.tree)} UTC, ${signed(this.graph.change[0], this.write)} in all` : `${this.isRetained ? 'What dropping it would free, measured' : 'Taken'} ${at(this.tree)} UTC`;
    this.empty.hidden = whole > 0;
    this.empty.textContent = this.nothing();
    this.canvas.parentElement.hidden = !(whole > 0);
    this.reset.hidden = true;
    this.flame.show(this.graph, Boolean(this.base));
    this.searchAgain();
    this.chosen(0);
    this.fill();
  }

  /** Why there is nothing to draw. */
  nothing() {
    const interval = this.tree.sample_interval_bytes;
    if (this.base) return 'Nothing of it changed between the two moments.';
    if (this.older || this.options.label) return 'Nothing is left of it: choose another age or label.';
    // A profile states a period of 1 where there is none.
    return interval > 1 ? `Nothing is sampled yet: on average one block in ${bytes(interval)} is.` : 'Nothing is sampled: sampling is off.';
  }

  search(text) {
    this.wanted = text;
    const share = this.flame.search(text);
    this.searched.textContent = share === null ? '' : `${percent(share)} of it`;
  }

  searchAgain() {
    if (this.wanted) this.search(this.wanted);
  }

  wait(text) {
    this.empty.textContent = text;
    this.empty.hidden = false;
  }

  fail(error) {
    this.canvas.parentElement.hidden = !this.graph;
    this.empty.textContent = `Cannot be shown: ${visible(error.message)}.`;
    this.empty.hidden = false;
  }

  /** What is known of a function at its place, in lines. */
  lines(node) {
    const { graph, write } = this;
    const total = graph.total[node];
    const lines = [`${write(total)}, ${percent(total / (graph.total[0] || 1))} of all`];
    if (graph.self[node] > 0 && graph.self[node] !== total) lines.push(`${write(graph.self[node])} by itself`);
    if (this.base) lines.push(`changed by ${signed(graph.change[node], write)}`);
    return lines;
  }

  chosen(node) {
    this.told.textContent = this.graph ? `${visible(this.graph.nameOf(node))}: ${this.lines(node).join('; ')}` : '';
  }

  over(node, x, y) {
    const place = this.graph.placeOf(node);
    this.tip.replaceChildren(
      make('b', null, visible(this.graph.nameOf(node))),
      ...this.lines(node).map((line) => make('span', null, line)),
      place ? make('span', { class: 'at' }, visible(place)) : null,
    );
    this.tip.hidden = false;
    const box = this.tip.getBoundingClientRect();
    this.tip.style.left = `${Math.max(8, Math.min(x + 14, innerWidth - box.width - 8))}px`;
    this.tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18}px`;
  }

  /** The same in a table, for who does not see the graph or wants figures. */
  fill() {
    if (!this.list.open || !this.graph) return;
    const { write } = this;
    const rows = functionsOf(this.graph).sort((one, other) => other.self - one.self || other.total - one.total).slice(0, LISTED);
    const cell = (value) => make('td', { class: 'n' }, value);
    const table = make(
      'table',
      null,
      make('thead', null, make('tr', null, ...['Function', 'By itself', 'With all it calls'].map((text, at) => make('th', { scope: 'col', class: at ? 'n' : null }, text)))),
      make('tbody', null, ...rows.map((row) => make('tr', null, make('th', { scope: 'row', class: 'fn' }, make('code', null, visible(row.name))), cell(write(row.self)), cell(write(row.total))))),
    );
    this.list.replaceChildren(this.list.querySelector('summary'), make('p', { class: 'note' }, `${count(Math.min(rows.length, LISTED))} functions, those with the most by themselves first.`), make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Functions' }, table));
  }
}

function toggle(text, pressed, onchange, title) {
  const box = make('input', { type: 'checkbox', checked: pressed });
  box.addEventListener('change', () => onchange(box.checked));
  return make('label', { class: 'toggle', title }, box, text);
}
