// speedscope.mjs MODULES FILE...: prints what speedscope's importer makes of each file, as JSON.
//
// speedscope is published as one script for browsers. It is run here without a browser, and stops where
// it wants to have one; its importer of pprof files, and what that needs, can be called all the same.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import zlib from 'node:zlib';

const [modules, ...files] = process.argv.slice(2);

// The one match of `pattern` in `source`.
function only(pattern, source, what) {
  const found = [...source.matchAll(pattern)];
  if (found.length !== 1) {
    throw new Error(`speedscope is not made as expected: ${found.length} times ${what}`);
  }
  return found[0];
}

function importer() {
  const release = path.join(modules, 'speedscope/dist/release');
  const scripts = fs.readdirSync(release).filter((name) => /^speedscope-.*\.js$/.test(name));
  const script = only(/\S+/g, scripts.join('\n'), 'its script')[0];
  const source = fs.readFileSync(path.join(release, script), 'utf8');
  // `let x = importer(bytes); if (x) return console.log(…)`, whatever the names are.
  const use = /let (\w+)=(\w+)\(\w+\);if\(\1\)return console\.log\("Importing as protobuf encoded pprof file"\)/g;
  const name = only(use, source, 'the use of the importer')[2];
  // The importer's module: its functions, then `var …, ready = module(() => { … })`.
  const module = new RegExp(`function ${name}\\(.*?\\bvar (?:\\w+,)*(\\w+)=\\w+\\(\\(\\)=>\\{"use strict"`, 'gs');
  const ready = only(module, source, 'the module of the importer')[1];
  const start = '"use strict";(()=>{';
  only(/^"use strict";\(\(\)=>\{/g, source, 'the start of the script');
  const taken = `globalThis.importPprof=(bytes)=>{${ready}();return ${name}(bytes)};`;
  const context = vm.createContext({ console: { log() {}, warn() {}, error() {} } });
  try {
    vm.runInContext(start + taken + source.slice(start.length), context, { filename: script });
  } catch (error) {
    context.stopped = error;
  }
  return context;
}

function read(context, file) {
  const bytes = zlib.gunzipSync(fs.readFileSync(file));
  const whole = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  let profile;
  try {
    profile = context.importPprof(whole);
  } catch (error) {
    return { refused: String(error.message) };
  }
  if (!profile) {
    return { refused: `not taken for a profile (the script said: ${context.stopped})` };
  }
  const samples = profile.samples.map((node, index) => {
    const stack = [];
    for (let at = node; at.parent; at = at.parent) {
      stack.push(at.frame.name);
    }
    return { stack, value: profile.weights[index] };
  });
  return { unit: profile.getWeightUnit(), total: profile.getTotalWeight(), samples };
}

const context = importer();
console.log(JSON.stringify(files.map((file) => read(context, file))));
