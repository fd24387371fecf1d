// pprof_format.mjs MODULES FILE...: prints what npm's pprof-format reads in each file, as JSON.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import zlib from 'node:zlib';

const [modules, ...files] = process.argv.slice(2);
const { Profile } = createRequire(path.join(modules, 'x.js'))('pprof-format');

// Numbers of more than 28 bits come as unsigned big integers.
function integer(value) {
  const signed = typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : value;
  if (!Number.isSafeInteger(signed)) {
    throw new Error(`${value} cannot be told exactly`);
  }
  return signed;
}

function read(file) {
  const profile = Profile.decode(zlib.gunzipSync(fs.readFileSync(file)));
  const text = (index) => profile.stringTable.strings[integer(index)];
  const functions = new Map(profile.function.map((of) => [integer(of.id), text(of.name)]));
  const names = new Map(
    profile.location.map((of) => [integer(of.id), of.line.map((line) => functions.get(integer(line.functionId)))]),
  );
  const label = (of) => [text(of.key), integer(of.str) ? text(of.str) : integer(of.num), text(of.numUnit)];
  return {
    types: profile.sampleType.map((of) => `${text(of.type)}/${text(of.unit)}`),
    comments: profile.comment.map(text),
    samples: profile.sample.map((of) => ({
      // Leaf first, inlined functions before those that they were inlined into.
      stack: of.locationId.map((id) => names.get(integer(id))),
      labels: of.label.map(label).sort(),
      values: of.value.map(integer),
    })),
  };
}

console.log(JSON.stringify(files.map(read)));
