// Stacks as the server sends them (`format=tree`), and graphs that are made of one or two of them.

/** What a graph may show of two moments. */
export const MODES = [
  ['grew', 'What grew'],
  ['shrank', 'What shrank'],
  ['all', 'All, coloured by change'],
];

/** Numbers of pairs of small numbers: a hash table without objects, since there are 10⁵ and more. */
class Pairs {
  constructor() {
    this.size = 0;
    this.grow(1 << 12);
  }

  grow(capacity) {
    const { ones, others, numbers } = this;
    this.mask = capacity - 1;
    this.ones = new Int32Array(capacity);
    this.others = new Int32Array(capacity);
    this.numbers = new Int32Array(capacity).fill(-1);
    numbers?.forEach((number, at) => {
      if (number >= 0) this.put(this.slot(ones[at], others[at]), ones[at], others[at], number);
    });
  }

  slot(one, other) {
    let at = (Math.imul(one, 0x9e3779b1) ^ Math.imul(other + 1, 0x85ebca6b)) >>> 0;
    at = (at ^ (at >>> 15)) & this.mask;
    while (this.numbers[at] >= 0 && (this.ones[at] !== one || this.others[at] !== other)) at = (at + 1) & this.mask;
    return at;
  }

  put(slot, one, other, number) {
    this.ones[slot] = one;
    this.others[slot] = other;
    this.numbers[slot] = number;
  }

  /** The number of a pair; `next` if it is new. */
  number(one, other, next) {
    const slot = this.slot(one, other);
    if (this.numbers[slot] >= 0) return this.numbers[slot];
    this.put(slot, one, other, next);
    this.size += 1;
    if (this.size * 2 > this.mask) this.grow((this.mask + 1) * 2);
    return next;
  }
}

/**
 * Functions by caller (or, inverted, by callee), summed over stacks of the same names. Node 0 is the
 * whole; parents stand before their children.
 */
export class Graph {
  constructor() {
    this.names = [];
    this.parent = [-1];
    this.name = [-1];
    this.own = [0];
    this.value = [0];
    this.base = [0];
    this.numbers = new Map();
    this.known = new Pairs();
    /** Source of each name, for people: file and some lines. */
    this.places = [];
  }

  number(name) {
    let number = this.numbers.get(name);
    if (number === undefined) {
      number = this.names.length;
      this.names.push(name);
      this.numbers.set(name, number);
      this.places.push({ file: '', lines: new Set() });
    }
    return number;
  }

  child(parent, name, own) {
    const next = this.parent.length;
    const node = this.known.number(parent, name, next);
    if (node === next) {
      this.parent.push(parent);
      this.name.push(name);
      this.own.push(own);
      this.value.push(0);
      this.base.push(0);
    }
    return node;
  }

  /** Sums up what was added, in a way of showing it. */
  finish(mode) {
    const size = this.parent.length;
    this.known = null;
    this.total = new Float64Array(size);
    this.self = new Float64Array(size);
    this.change = new Float64Array(size);
    for (let node = 0; node < size; node += 1) {
      const change = this.value[node] - this.base[node];
      const self = mode === 'grew' ? Math.max(0, change) : mode === 'shrank' ? Math.max(0, -change) : Math.max(0, this.value[node]);
      this.self[node] = self;
      this.total[node] = self;
      this.change[node] = change;
    }
    // Children as chains: lists would be as many objects.
    this.first = new Int32Array(size).fill(-1);
    this.next = new Int32Array(size).fill(-1);
    for (let node = size - 1; node > 0; node -= 1) {
      const parent = this.parent[node];
      this.total[parent] += this.total[node];
      this.change[parent] += this.change[node];
      if (this.total[node] > 0) {
        this.next[node] = this.first[parent];
        this.first[parent] = node;
      }
    }
    this.sorted = new Map();
    return this;
  }

  /** Callees, the widest first. */
  below(node) {
    let children = this.sorted.get(node);
    if (!children) {
      children = [];
      for (let child = this.first[node]; child >= 0; child = this.next[child]) children.push(child);
      children.sort((one, other) => this.total[other] - this.total[one]);
      this.sorted.set(node, children);
    }
    return children;
  }

  nameOf(node) {
    return node === 0 ? 'all' : this.names[this.name[node]];
  }

  placeOf(node) {
    const place = this.places[this.name[node]];
    if (!place?.file) return '';
    const lines = [...place.lines].sort((a, b) => a - b);
    return lines.length ? `${shortFile(place.file)}:${lines.slice(0, 4).join(', ')}${lines.length > 4 ? ', …' : ''}` : shortFile(place.file);
  }
}

/** The last parts of a path, which tell files of a program apart. */
export function shortFile(file) {
  const at = file.lastIndexOf('/src/');
  return at > 0 ? file.slice(file.lastIndexOf('/', at - 1) + 1) : file;
}

/**
 * A graph of `tree`, and of what changed since `base`, if that is given.
 * `options`: type, label (`key\0value` or ''), inverted, own (from the program's own code on), mode.
 */
export function graphOf(tree, base, options) {
  const graph = new Graph();
  add(graph, tree, options, graph.value);
  if (base) add(graph, base, options, graph.base);
  return graph.finish(base ? options.mode : 'plain');
}

function add(graph, tree, { type, label, inverted, own }, sums) {
  const column = tree.types.indexOf(type);
  if (column < 0) return;
  const { function: of, file, line, own: isOwn } = tree.frames;
  const numbers = of.map((at, frame) => {
    const number = graph.number(tree.strings[at]);
    const place = graph.places[number];
    place.file ||= tree.strings[file[frame]];
    if (line[frame] && place.lines.size < 9) place.lines.add(line[frame]);
    return number;
  });
  const wanted = label === '' ? null : tree.labels.map((set) => set.some(([key, value]) => `${key}\0${value}` === label));
  const { node: leaves, labels, values } = tree.samples;
  const stacks = new Stacks(graph, tree, numbers, isOwn, own);
  for (let at = 0; at < leaves.length; at += 1) {
    const value = values[column][at];
    if (value && (!wanted || wanted[labels[at]])) sums[inverted ? stacks.upwards(leaves[at]) : stacks.downwards(leaves[at])] += value;
  }
}

/** Puts stacks of a tree into a graph: whole, or from the first of the program's own functions on. */
class Stacks {
  constructor(graph, tree, numbers, own, ownOnly) {
    Object.assign(this, { graph, numbers, own, parent: tree.nodes.parent, frame: tree.nodes.frame });
    const size = this.parent.length;
    /** Whether a node is shown where what comes before the program's own functions is not. */
    this.shown = new Uint8Array(size).fill(ownOnly ? 0 : 1);
    for (let node = 0; ownOnly && node < size; node += 1) {
      this.shown[node] = own[this.frame[node]] || (this.parent[node] >= 0 && this.shown[this.parent[node]]) ? 1 : 0;
    }
    /** Nodes of the graph, of stacks that are cut and of whole ones. */
    this.cut = new Int32Array(size).fill(-1);
    this.whole = new Int32Array(size).fill(-1);
  }

  downwards(leaf) {
    // Without any function of the program's own there is nothing to begin with: it stays whole.
    const isCut = leaf >= 0 && this.shown[leaf] === 1;
    const known = isCut ? this.cut : this.whole;
    const path = [];
    let node = leaf;
    while (node >= 0 && known[node] < 0 && (!isCut || this.shown[node])) {
      path.push(node);
      node = this.parent[node];
    }
    let at = node >= 0 && known[node] >= 0 ? known[node] : 0;
    while (path.length) {
      node = path.pop();
      const frame = this.frame[node];
      at = this.graph.child(at, this.numbers[frame], this.own[frame]);
      known[node] = at;
    }
    return at;
  }

  upwards(leaf) {
    const isCut = leaf >= 0 && this.shown[leaf] === 1;
    let at = 0;
    for (let node = leaf; node >= 0 && (!isCut || this.shown[node]); node = this.parent[node]) {
      const frame = this.frame[node];
      at = this.graph.child(at, this.numbers[frame], this.own[frame]);
    }
    return at;
  }
}

/** All labels of a tree as [value for `label`, text] pairs. */
export function labelsOf(tree) {
  const found = new Map();
  for (const set of tree.labels) for (const [key, value] of set) found.set(`${key}\0${value}`, `${key}: ${value}`);
  return [...found].sort((one, other) => (one[1] < other[1] ? -1 : 1));
}

/** Of each function its own value and that of all it calls, counted once however often it recurs. */
export function functionsOf(graph) {
  const rows = graph.names.map((name, number) => ({ name, number, self: 0, total: 0, change: 0 }));
  const onPath = new Int32Array(graph.names.length);
  const walk = (node) => {
    const row = rows[graph.name[node]];
    if (row) {
      row.self += graph.self[node];
      if (onPath[row.number] === 0) {
        row.total += graph.total[node];
        row.change += graph.change[node];
      }
      onPath[row.number] += 1;
    }
    for (let child = graph.first[node]; child >= 0; child = graph.next[child]) walk(child);
    if (row) onPath[row.number] -= 1;
  };
  walk(0);
  return rows.filter((row) => row.total > 0);
}
