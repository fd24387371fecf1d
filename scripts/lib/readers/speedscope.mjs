// speedscope.mjs MODULES FILE...: prints what speedscope's importers make of each file, as JSON: of pprof
// files, and of files of its own format, of which the profile is told that it shows first.
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

// A function of the script, found by where it is used, and what makes it ready.
function part(source, use, what) {
  const name = only(use, source, `the use of ${what}`)[1];
  // Its module: functions, then `var …, ready = module(() => { … })`.
  const module = new RegExp(`function ${name}\\(.*?\\bvar (?:\\w+,)*(\\w+)=\\w+\\(\\(\\)=>\\{"use strict"`, 'gs');
  return { name, ready: only(module, source, `the module of ${what}`)[1] };
}

function importers() {
  const release = path.join(modules, 'speedscope/dist/release');
  const scripts = fs.readdirSync(release).filter((name) => /^speedscope-.*\.js$/.test(name));
  const script = only(/\S+/g, scripts.join('\n'), 'its script')[0];
  const source = fs.readFileSync(path.join(release, script), 'utf8');
  // `let x = importer(bytes); if (x) return console.log(…)`, whatever the names are.
  const usePprof = /let \w+=(\w+)\(\w+\);if\(\w+\)return console\.log\("Importing as protobuf encoded pprof file"\)/g;
  const useJson = /console\.log\("Importing as speedscope json file"\),(\w+)\(\w+\)/g;
  const pprof = part(source, usePprof, 'the importer of pprof');
  const json = part(source, useJson, 'the importer of its own format');
  const start = '"use strict";(()=>{';
  only(/^"use strict";\(\(\)=>\{/g, source, 'the start of the script');
  const taken =
    `globalThis.importPprof=(bytes)=>{${pprof.ready}();return ${pprof.name}(bytes)};` +
    `globalThis.importJson=(text)=>{${json.ready}();return ${json.name}(JSON.parse(text))};`;
  const context = vm.createContext({ console: { log() {}, warn() {}, error() {} } });
  try {
    vm.runInContext(start + taken + source.slice(start.length), context, { filename: script });
  } catch (error) {
    context.stopped = error;
  }
  return context;
}

function imported(context, file) {
  const content = fs.readFileSync(file);
  if (file.endsWith('.json')) {
    const group = context.importJson(content.toString());
    return group.profiles[group.indexToView];
  }
  const bytes = zlib.gunzipSync(content);
  return context.importPprof(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function read(context, file) {
  let profile;
  try {
    profile = imported(context, file);
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
  return { name: profile.getName(), unit: profile.getWeightUnit(), total: profile.getTotalWeight(), samples };
}

const context = importers();
console.log(JSON.stringify(files.map((file) => read(context, file))));
