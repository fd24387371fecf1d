// Series over time: lines, a limit, marks of verdicts, and two moments that can be picked.
import { button, choice, make } from './dom.js';
import { clock, duration, tick } from './format.js';

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [260, 64, 56, 18, 26];
/** Pixels that a pointer moves before it draws a range, and within which marks are drawn as one. */
const [DRAG, NEAR] = [6, 26];
/** States, the worst last. */
const ORDER = ['ok', 'warming', 'filling', 'growing', 'suspect', 'leak'];

export class Chart {
  constructor(place, options) {
    this.options = options;
    this.hidden = new Set();
    this.picks = [];
    this.data = { times: [] };
    this.told = make('p', { class: 'told', role: 'status' });
    this.note = make('p', { class: 'note' });
    this.legend = make('div', { class: 'legend' });
    this.picked = make('div', { class: 'picked' });
    this.svg = make('svg', { tabindex: 0, role: 'application', 'aria-roledescription': 'chart', 'aria-label': `${options.label}. Arrow keys read values, Enter picks a moment.` });
    this.bar = make('div', { class: 'chartbar' }, this.legend, options.ranges ? choice('Time shown', options.ranges, options.range, options.onrange) : null);
    place.replaceChildren(this.bar, this.svg, this.told, this.picked, this.note);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(place);
  }

  /** Shows `{times, <key>: […], limit, marks, snapshots, note}`. */
  set(data) {
    this.data = data;
    this.note.textContent = data.note ?? '';
    this.note.hidden = !data.note;
    this.draw();
  }

  shown() {
    return this.options.series.filter((of) => this.data[of.key]?.some((value) => value !== null && value !== undefined));
  }

  draw() {
    const width = Math.max(280, this.svg.parentElement.clientWidth);
    const { times = [], limit, marks = [] } = this.data;
    const shown = this.shown();
    this.drawLegend(shown);
    this.svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute('height', HEIGHT);
    if (times.length < 2) {
      this.svg.replaceChildren(make('text', { x: width / 2, y: HEIGHT / 2, class: 'wait', 'text-anchor': 'middle' }, 'The line begins with the next figures…'));
      return;
    }
    const right = shown.some((of) => of.right) ? RIGHT : 12;
    const drawn = shown.filter((of) => !this.hidden.has(of.key));
    const most = (is) => Math.max(0, ...drawn.filter((of) => Boolean(of.right) === is).flatMap((of) => this.data[of.key].filter((value) => value !== null)));
    const high = most(false);
    // A limit far above would press all lines to the ground.
    const near = limit && limit <= high * 3;
    this.scale = {
      width,
      first: times[0],
      last: times.at(-1),
      x: (time) => LEFT + ((time - times[0]) / (times.at(-1) - times[0] || 1)) * (width - LEFT - right),
      left: axis(near ? Math.max(limit * 1.02, high) : high, 1024),
      right: axis(most(true), 1000),
    };
    const layers = [
      this.grid(right),
      limit && near ? this.limit(limit, right) : null,
      ...drawn.map((of) => this.line(of)),
      ...this.marks(marks.filter((of) => of.at >= times[0] && of.at <= times.at(-1))),
      this.ticks(),
      ...this.picks.map((at, index) => this.pick(at, index)),
      (this.cross = make('g', { class: 'cross' })),
    ];
    this.svg.replaceChildren(...layers.filter(Boolean));
    if (limit && !near) this.note.hidden = false;
    if (limit && !near && !this.data.note) this.note.textContent = `The limit, ${this.options.write(limit)}, lies above the chart.`;
  }

  y(of, value) {
    const scale = of.right ? this.scale.right : this.scale.left;
    return TOP + (1 - value / scale.top) * (HEIGHT - TOP - BOTTOM);
  }

  grid(right) {
    const { width, left, first, last, x } = this.scale;
    const group = make('g', { class: 'grid' });
    for (const value of left.ticks) {
      const y = this.y({}, value);
      group.append(make('line', { x1: LEFT, x2: width - right, y1: y, y2: y }), make('text', { x: LEFT - 8, y: y + 4, 'text-anchor': 'end' }, this.options.write(value).replace('.0 ', ' ')));
    }
    if (right === RIGHT) {
      for (const value of this.scale.right.ticks) {
        group.append(make('text', { x: width - right + 8, y: this.y({ right: true }, value) + 4 }, short(value)));
      }
    }
    const step = timeStep(last - first, Math.max(2, Math.floor((width - LEFT - right) / 90)));
    for (let at = Math.ceil(first / step) * step; at <= last; at += step) {
      if (x(at) > width - right - 26) break;
      group.append(make('line', { x1: x(at), x2: x(at), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 }), make('text', { x: x(at), y: HEIGHT - 8, 'text-anchor': 'middle' }, tick(at, step)));
    }
    group.append(make('text', { x: 4, y: HEIGHT - 8, class: 'zone' }, 'UTC'));
    return group;
  }

  limit(limit, right) {
    const y = this.y({}, limit);
    return make('g', { class: 'limit' }, make('line', { x1: LEFT, x2: this.scale.width - right, y1: y, y2: y }), make('text', { x: LEFT + 6, y: y - 5 }, `limit ${this.options.write(limit)}`));
  }

  line(of) {
    let path = '';
    let up = true;
    const values = this.data[of.key];
    this.data.times.forEach((time, at) => {
      const value = values[at];
      if (value === null || value === undefined) {
        up = true;
        return;
      }
      path += `${up ? 'M' : 'L'}${this.scale.x(time).toFixed(1)} ${this.y(of, value).toFixed(1)}`;
      up = false;
    });
    const line = make('path', { d: path, class: `line c-${of.key}` });
    if (!of.area || path.lastIndexOf('M') !== 0) return line;
    const ground = HEIGHT - BOTTOM;
    const area = `${path}L${this.scale.x(this.scale.last).toFixed(1)} ${ground}L${this.scale.x(this.scale.first).toFixed(1)} ${ground}Z`;
    return make('g', null, make('path', { d: area, class: `area c-${of.key}` }), line);
  }

  /** Marks, those that lie close together as one: that of the worst. */
  marks(all) {
    const near = [];
    for (const of of all.toSorted((one, other) => one.at - other.at)) {
      const last = near.at(-1);
      if (last && this.scale.x(of.at) - this.scale.x(last[0].at) < NEAR) last.push(of);
      else near.push([of]);
    }
    return near.map((group) => this.mark(group));
  }

  mark(group) {
    const worst = group.reduce((one, other) => (ORDER.indexOf(other.state) > ORDER.indexOf(one.state) ? other : one));
    const x = this.scale.x(group[0].at);
    return make(
      'g',
      { class: `mark s-${worst.state}` },
      make('title', null, group.map((of) => `${clock(of.at)} UTC, ${of.text}`).join('\n')),
      make('line', { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
      make('use', { href: `#i-${worst.state}`, x: x - 7, y: 2, width: 14, height: 14 }),
      group.length > 1 ? make('text', { x: x + 9, y: 13 }, `${group.length}`) : null,
    );
  }

  /** Where there are snapshots to look at. */
  ticks() {
    const { first, last, x } = this.scale;
    const group = make('g', { class: 'snapshots' });
    for (const of of this.data.snapshots ?? []) {
      if (of.at >= first && of.at <= last) group.append(make('circle', { cx: x(of.at), cy: HEIGHT - BOTTOM, r: 2.2 }));
    }
    return group;
  }

  pick(at, index) {
    const x = this.scale.x(Math.min(Math.max(at, this.scale.first), this.scale.last));
    const group = make('g', { class: 'pick' }, make('line', { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }), make('text', { x: x + 4, y: TOP + 10 }, index === 0 ? 'A' : 'B'));
    if (index === 1) {
      const [from, to] = this.picks.map((of) => this.scale.x(of)).sort((a, b) => a - b);
      group.prepend(make('rect', { x: from, width: to - from, y: TOP, height: HEIGHT - TOP - BOTTOM }));
    }
    return group;
  }

  drawLegend(shown) {
    const names = shown.map((of) => of.key).join();
    if (this.named === names) return;
    this.named = names;
    this.legend.replaceChildren(
      ...shown.map((of) =>
        make(
          'button',
          {
            type: 'button',
            class: `c-${of.key}`,
            'aria-pressed': String(!this.hidden.has(of.key)),
            onclick: (event) => {
              if (!this.hidden.delete(of.key)) this.hidden.add(of.key);
              event.currentTarget.setAttribute('aria-pressed', String(!this.hidden.has(of.key)));
              this.draw();
            },
          },
          make('span', { class: 'swatch', 'aria-hidden': 'true' }),
          of.label,
        ),
      ),
    );
  }

  /** Says what was at a moment, and shows where that is. */
  read(at) {
    const { times } = this.data;
    if (times.length < 2 || !this.scale) return;
    let index = times.findIndex((time) => time >= at);
    if (index < 0) index = times.length - 1;
    if (index > 0 && at - times[index - 1] < times[index] - at) index -= 1;
    this.at = times[index];
    const x = this.scale.x(this.at);
    const values = this.shown().map((of) => {
      const value = this.data[of.key][index];
      return value === null || value === undefined ? null : `${of.label} ${(of.right ? this.options.writeRight : this.options.write)(value)}`;
    });
    this.cross?.replaceChildren(make('line', { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
    this.told.textContent = [`${clock(this.at)} UTC`, ...values.filter(Boolean)].join('   ');
  }

  /** The next moment that is picked: the first, the second, or a new first. */
  choose(at) {
    this.picks = this.picks.length === 1 ? [this.picks[0], at].sort((a, b) => a - b) : [at];
    this.changed();
  }

  unpick() {
    this.picks = [];
    this.changed();
  }

  changed() {
    const [from, to] = this.picks;
    this.picked.replaceChildren();
    if (from !== undefined) {
      const text = to === undefined ? `A: ${clock(from)} UTC. Pick a second moment to compare with.` : `A ${clock(from)} to B ${clock(to)} UTC, ${duration(to - from)}`;
      this.picked.append(make('span', { role: 'status' }, text));
      if (to !== undefined) this.picked.append(button('Compare A with B', () => this.options.onpick(from, to), { class: 'primary' }));
      this.picked.append(button('Clear', () => this.unpick()));
    }
    this.draw();
  }

  listen() {
    const timeAt = (event) => {
      const box = this.svg.getBoundingClientRect();
      const { first, last, x } = this.scale;
      const share = (event.clientX - box.left - x(first)) / (x(last) - x(first));
      return first + Math.min(Math.max(share, 0), 1) * (last - first);
    };
    let down = null;
    this.svg.addEventListener('pointerdown', (event) => {
      if (this.scale && event.button === 0) down = { x: event.clientX, at: timeAt(event) };
    });
    this.svg.addEventListener('pointermove', (event) => {
      if (!this.scale) return;
      this.read(timeAt(event));
      if (down && Math.abs(event.clientX - down.x) > DRAG) {
        this.picks = [down.at, timeAt(event)];
        this.draw();
      }
    });
    this.svg.addEventListener('pointerup', (event) => {
      if (!down) return;
      if (Math.abs(event.clientX - down.x) > DRAG) {
        this.picks = [down.at, timeAt(event)].sort((a, b) => a - b);
        this.changed();
      } else {
        this.choose(timeAt(event));
      }
      down = null;
    });
    this.svg.addEventListener('pointerleave', () => {
      if (down) this.unpick();
      down = null;
      this.cross?.replaceChildren();
    });
    this.svg.addEventListener('keydown', (event) => {
      const { times } = this.data;
      const index = Math.max(0, times.indexOf(this.at ?? times.at(-1)));
      const moves = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: times.length - 1 };
      if (event.key in moves) this.read(times[Math.min(Math.max(moves[event.key], 0), times.length - 1)]);
      else if (event.key === 'Enter' || event.key === ' ') this.choose(this.at ?? times.at(-1));
      else if (event.key === 'Escape') this.unpick();
      else return;
      event.preventDefault();
    });
  }
}

/** Round values from 0 up, in steps of 1, 2 or 5 times a power. */
function axis(high, base) {
  if (!(high > 0)) return { top: 1, ticks: [0] };
  const unit = base ** Math.floor(Math.log(high) / Math.log(base));
  const rough = high / unit / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((of) => of * power).find((of) => of >= rough) * unit;
  const ticks = [];
  for (let value = 0; value < high + step; value += step) ticks.push(value);
  return { top: ticks.at(-1), ticks };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const timeStep = (span, most) => STEPS.find((step) => span / step <= most) ?? Math.ceil(span / most / 86400) * 86400;

function short(value) {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(1)} M`;
  return value >= 1e3 ? `${+(value / 1e3).toFixed(1)} k` : String(value);
}
