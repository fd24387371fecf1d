// The flame graph itself: drawn on a canvas, what is too narrow to see left out, so that it is as
// fast with ten thousand sites as with ten.

const ROW = 20;
/** Narrower than this many pixels is not drawn. */
const LEAST = 0.6;
const FONT = '12px ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace';

export class Flame {
  /** `on`: over(node, x, y), out(), zoomed(node), chosen(node). */
  constructor(canvas, on) {
    this.canvas = canvas;
    this.on = on;
    this.context = canvas.getContext('2d');
    this.root = 0;
    this.focus = 0;
    this.pattern = null;
    this.rows = [];
    this.listen();
    new ResizeObserver(() => this.plan()).observe(canvas.parentElement);
    document.addEventListener('theme', () => this.plan());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.plan());
  }

  show(graph, isDifference) {
    this.graph = graph;
    this.isDifference = isDifference;
    this.root = 0;
    this.focus = 0;
    this.match();
    this.draw();
  }

  /** Marks functions whose name or file has this in it; returns the share that they hold. */
  search(text) {
    this.pattern = text.toLowerCase();
    this.match();
    this.draw();
    return this.found;
  }

  match() {
    this.found = null;
    this.hits = null;
    if (!this.pattern || !this.graph) return;
    const { names, places } = this.graph;
    this.hits = names.map((name, at) => name.toLowerCase().includes(this.pattern) || places[at].file.toLowerCase().includes(this.pattern));
    const { parent, name, total } = this.graph;
    // Each stack counts once, however many of its functions match.
    const within = new Uint8Array(parent.length);
    let sum = 0;
    for (let node = 1; node < parent.length; node += 1) {
      within[node] = within[parent[node]];
      if (!within[node] && this.hits[name[node]]) {
        within[node] = 1;
        sum += total[node];
      }
    }
    this.found = sum / (this.graph.total[0] || 1);
  }

  zoom(node) {
    this.root = node;
    this.focus = node;
    this.draw();
    this.on.zoomed(node);
  }

  plan() {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.draw();
    });
  }

  colours() {
    const style = getComputedStyle(this.canvas);
    const of = (name) => style.getPropertyValue(name).trim();
    return {
      own: [1, 2, 3, 4].map((at) => of(`--flame-own-${at}`)),
      other: [1, 2].map((at) => of(`--flame-other-${at}`)),
      hit: of('--flame-hit'),
      text: of('--flame-text'),
      textOther: of('--flame-text-other'),
      grew: [1, 2, 3].map((at) => of(`--flame-grew-${at}`)),
      shrank: [1, 2, 3].map((at) => of(`--flame-shrank-${at}`)),
      focus: of('--flame-focus'),
    };
  }

  draw() {
    const { graph } = this;
    if (!graph) return;
    const width = this.canvas.parentElement.clientWidth;
    if (width === 0) return;
    const begun = performance.now();
    this.width = width;
    this.layOut();
    const height = Math.max(3, this.rows.length) * ROW + 1;
    const scale = devicePixelRatio || 1;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const { context } = this;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = FONT;
    context.textBaseline = 'middle';
    this.letter ??= context.measureText('m').width;
    const colours = this.colours();
    this.rows.forEach((row, depth) => row.forEach((box) => this.box(box, depth, colours)));
    this.took = performance.now() - begun;
    this.canvas.dataset.frames = this.rows.reduce((sum, row) => sum + row.length, 0);
    this.canvas.dataset.ms = this.took.toFixed(1);
  }

  /** Boxes by row: those above the zoomed one over the full width, then what it calls. */
  layOut() {
    const { graph } = this;
    const above = [];
    for (let node = this.root; node >= 0; node = graph.parent[node]) above.unshift(node);
    this.rows = above.map((node) => [{ node, x: 0, width: this.width }]);
    const whole = graph.total[this.root];
    if (!(whole > 0)) return;
    const each = this.width / whole;
    let row = this.rows.at(-1);
    while (row.length > 0) {
      const next = [];
      for (const { node, x } of row) {
        let at = x;
        for (const child of graph.below(node)) {
          const width = graph.total[child] * each;
          // They are sorted: all that follow are narrower.
          if (width < LEAST) break;
          next.push({ node: child, x: at, width });
          at += width;
        }
      }
      if (next.length > 0) this.rows.push(next);
      row = next;
    }
  }

  box({ node, x, width }, depth, colours) {
    const { context, graph } = this;
    const y = depth * ROW;
    const isHit = this.hits?.[graph.name[node]];
    const isAbove = depth < this.rows.length && node !== this.root && this.isAbove(node);
    context.globalAlpha = isAbove ? 0.55 : this.hits && !isHit ? 0.45 : 1;
    context.fillStyle = isHit ? colours.hit : this.fill(node, colours);
    context.fillRect(x + 0.5, y + 0.5, Math.max(width - 1, 0.5), ROW - 1);
    if (node === this.focus && document.activeElement === this.canvas) {
      context.globalAlpha = 1;
      context.strokeStyle = colours.focus;
      context.lineWidth = 2;
      context.strokeRect(x + 1.5, y + 1.5, Math.max(width - 3, 1), ROW - 3);
    }
    const letters = Math.floor((width - 8) / this.letter);
    if (letters >= 3) {
      context.fillStyle = graph.own[node] || isHit || this.isDifference ? colours.text : colours.textOther;
      context.fillText(fit(graph.nameOf(node), letters), x + 5, y + ROW / 2 + 0.5);
    }
    context.globalAlpha = 1;
  }

  isAbove(node) {
    for (let at = this.graph.parent[this.root]; at >= 0; at = this.graph.parent[at]) if (at === node) return true;
    return false;
  }

  fill(node, colours) {
    const { graph } = this;
    if (this.isDifference) {
      const change = graph.change[node];
      const share = Math.abs(change) / (graph.total[node] || 1);
      const strength = share < 0.02 ? -1 : share < 0.2 ? 0 : share < 0.6 ? 1 : 2;
      if (strength < 0 || node === 0) return colours.other[0];
      return (change > 0 ? colours.grew : colours.shrank)[strength];
    }
    if (node === 0) return colours.other[1];
    const set = graph.own[node] ? colours.own : colours.other;
    return set[graph.name[node] % set.length];
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const row = this.rows[Math.floor(y / ROW)];
    return row?.find((of) => x >= of.x && x < of.x + of.width);
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener('pointermove', (event) => {
      const found = this.at(event);
      canvas.style.cursor = found ? 'pointer' : 'default';
      if (found) this.on.over(found.node, event.clientX, event.clientY);
      else this.on.out();
    });
    canvas.addEventListener('pointerleave', () => this.on.out());
    canvas.addEventListener('click', (event) => {
      const found = this.at(event);
      if (found) this.zoom(found.node);
    });
    canvas.addEventListener('focus', () => this.plan());
    canvas.addEventListener('blur', () => this.plan());
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  key(event) {
    const { graph } = this;
    if (!graph) return;
    const parent = graph.parent[this.focus];
    const siblings = parent >= 0 ? graph.below(parent) : [0];
    const at = siblings.indexOf(this.focus);
    const moves = {
      ArrowUp: () => parent,
      ArrowDown: () => graph.below(this.focus)[0],
      ArrowLeft: () => siblings[at - 1],
      ArrowRight: () => siblings[at + 1],
      Home: () => 0,
    };
    if (event.key in moves) {
      const next = moves[event.key]();
      if (next !== undefined && next >= 0) {
        this.focus = next;
        this.plan();
        this.on.chosen(next);
      }
    } else if (event.key === 'Enter' || event.key === ' ') {
      this.zoom(this.focus);
    } else if (event.key === 'Escape' || event.key === 'Backspace') {
      this.zoom(Math.max(0, graph.parent[this.root]));
    } else {
      return;
    }
    event.preventDefault();
  }
}

/** A path in so many letters: the last names of it count most, and closures go with their function. */
export function fit(name, letters) {
  if (name.length <= letters) return name;
  const closure = /(::\{\{closure\}\})+$/;
  const end = closure.test(name) ? '{}' : '';
  const parts = namesIn(name.replace(closure, ''));
  for (let at = 0; at < parts.length; at += 1) {
    const tail = parts.slice(at).join('::') + end;
    if (tail.length <= letters) return tail;
  }
  const last = parts.at(-1).replace(/::<.*$/, '') + end;
  return last.length <= letters ? last : `${last.slice(0, letters - 1)}…`;
}

/** `a`, `B<c::D>` and `e` of `a::B<c::D>::e`; generic arguments at the end belong to the last name. */
function namesIn(path) {
  const names = [''];
  let depth = 0;
  for (let at = 0; at < path.length; at += 1) {
    const letter = path[at];
    if (letter === '<') depth += 1;
    else if (letter === '>' && path[at - 1] !== '-') depth -= 1;
    if (depth === 0 && letter === ':' && path[at + 1] === ':' && path[at + 2] !== '<') {
      names.push('');
      at += 1;
    } else {
      names[names.length - 1] += letter;
    }
  }
  return names;
}
