// Puts the application and its packages into one file, in place of dist/app/application.js: to find, read and link 1,700
// files is more than half of what a start costs. It changes nothing else; without it the service runs as well.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { build } from 'esbuild';

const ENTRY = resolve('dist/app/application.js');
const BUNDLE = resolve('dist/app/bundle.js');
/** TypeORM loads the driver by its name: a second copy would have types and classes of its own. */
const DRIVER = 'pg';
/** Its packages read files that lie beside their own. */
const EMBEDDED_DATABASE = '@electric-sql/*';
/** Needed only if traces are asked for: to read past them would cost every start. */
const TRACING = ['exporter-*', 'resources', 'sdk-*'].map((name) => `@opentelemetry/${name}`);
/** Is loaded with the first message of MCP. */
const MCP_SDK = '@modelcontextprotocol/server';

/** A package asks for others that are optional, and finds out when it runs that they are not installed. */
const leaveOutWhatIsNotInstalled = {
  name: 'leave out what is not installed',
  setup({ onResolve, resolve }) {
    const seen = Symbol('seen');
    onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (pluginData === seen) return undefined;
      const { errors } = await resolve(path, { kind, resolveDir, pluginData: seen });
      return errors.length > 0 ? { path, external: true } : undefined;
    });
  },
};

/** The scripts and migrations are still found from the folder of the file that reads them. */
const keepFolders = {
  name: 'keep folders',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (path.includes(`${sep}node_modules${sep}`)) return undefined;
      const folder = JSON.stringify(relative(dirname(ENTRY), dirname(path)));
      const source = readFileSync(path, 'utf8');
      return { contents: source.replaceAll('__dirname', `require('node:path').join(__dirname, ${folder})`) };
    });
  },
};

await build({
  entryPoints: [ENTRY],
  outfile: BUNDLE,
  bundle: true,
  platform: 'node',
  target: 'node20.20',
  format: 'cjs',
  external: [DRIVER, EMBEDDED_DATABASE, MCP_SDK, ...TRACING],
  plugins: [leaveOutWhatIsNotInstalled, keepFolders],
  // What packages in ES modules take `createRequire` from.
  banner: { js: `const bundleUrl = require('node:url').pathToFileURL(__filename).href;` },
  define: { 'import.meta.url': 'bundleUrl' },
  logLevel: 'warning',
});

// V8 keeps the text of a file in memory, with two bytes for each character if one of them is not ASCII. These are in
// regular expressions and comments: in all other places esbuild has escaped them.
const escaped = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
writeFileSync(BUNDLE, readFileSync(BUNDLE, 'utf8').replace(/[^\0-\x7f]/g, escaped));

// `import()` reads all of a CommonJS file for the names of its exports; here these are few.
writeFileSync(ENTRY, "exports.serve = require('./bundle.js').serve;\n");
