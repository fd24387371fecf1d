// A heap as the server would send it, of whatever names a test wants: stacks of some
// functions that share their upper halves, as stacks do.

export function tree(sites, depth, maps) {
  const functions = 4000;
  const strings = ['', '/svc/src/lib.rs', ...Array.from({ length: functions }, (_, at) => `svc::module_${at % 97}::<impl Handler<Request> for Type${at}>::function_${at}`)];
  let state = 1;
  const random = (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  const frames = { function: [], file: [], line: [], own: [] };
  for (let at = 0; at < functions; at += 1) {
    frames.function.push(at + 2);
    frames.file.push(1);
    frames.line.push(at);
    frames.own.push(at % 3 === 0 ? 0 : 1);
  }
  const nodes = { parent: [], frame: [] };
  const known = new Map();
  const samples = { node: [], origin: [], labels: [], values: [[], [], [], []], errors: [[], [], [], []] };
  for (let site = 0; site < sites; site += 1) {
    let node = -1;
    for (let level = 0; level < depth; level += 1) {
      // Narrow above, wide below.
      const frame = (level * 61 + random(1 + Math.floor((level / depth) ** 3 * 30))) % functions;
      const key = `${node} ${frame}`;
      if (!known.has(key)) {
        known.set(key, nodes.parent.length);
        nodes.parent.push(node);
        nodes.frame.push(frame);
      }
      node = known.get(key);
    }
    samples.node.push(node);
    samples.origin.push(nodes.frame[node]);
    samples.labels.push(random(maps + 1));
    const objects = 1 + random(1000);
    [objects * 3, objects * 300, objects, objects * 100].forEach((value, column) => {
      samples.values[column].push(value);
      samples.errors[column].push(Math.round(value / 10));
    });
  }
  return {
    schema: 'heaplens.tree/1',
    time: '2026-11-22T20:29:00Z',
    duration_seconds: null,
    sample_interval_bytes: 524_288,
    types: ['alloc_objects', 'alloc_space', 'inuse_objects', 'inuse_space'],
    comments: [],
    totals: [],
    left_out: 0,
    strings,
    frames,
    nodes,
    labels: [[], ...Array.from({ length: maps }, (_, at) => [['map', `map-${at}`]])],
    samples,
  };
}
