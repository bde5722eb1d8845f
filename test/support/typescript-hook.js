// Lets a plain node process run TypeScript, for tests that must kill one: node -r ./test/support/typescript-hook.js x.ts
const { readFileSync } = require('node:fs');
const { transformSync } = require('@swc/core');

const options = {
  module: { type: 'commonjs' },
  jsc: { target: 'es2022', parser: { syntax: 'typescript', decorators: true } },
};

require.extensions['.ts'] = (module, filename) =>
  module._compile(transformSync(readFileSync(filename, 'utf8'), { ...options, filename }).code, filename);
