// build.mjs MODULES PAGE OUTPUT: bundles the page with Grafana's components.
import { createRequire } from 'node:module';
import path from 'node:path';

const [modules, page, output] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'x.js'));
const { build } = require('esbuild');

await build({
  entryPoints: [page],
  outfile: path.join(output, 'page.js'),
  bundle: true,
  format: 'iife',
  jsx: 'automatic',
  minify: true,
  logLevel: 'error',
  // The page is not beside the modules.
  nodePaths: [modules],
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: {
    '.svg': 'dataurl', '.png': 'dataurl', '.gif': 'dataurl', '.ttf': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl',
  },
  alias: { 'react-custom-scrollbars-2': path.join(path.dirname(page), 'scrollbars.jsx') },
});
