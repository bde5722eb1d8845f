// Dependencies that ship only as ES modules, or that import a module while they run, are transformed with our own code:
// Jest runs CommonJS.
const esmOnly =
  '@nestjs|@electric-sql|file-type|@tokenizer|strtok3|token-types|uint8array-extras|load-esm|lru-cache|fast-check|pure-rand|jose|@open-rpc|@opentelemetry/otlp-exporter-base';

/** @type {import('jest').Config} */
module.exports = {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  // They have a configuration of their own.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/deploy/'],
  testEnvironment: 'node',
  globalSetup: '<rootDir>/test/support/install-servers.ts',
  setupFiles: ['<rootDir>/test/support/unref-parser-timer.ts'],
  transform: {
    '\\.([cm]?js|ts)$': [
      '@swc/jest',
      {
        module: { type: 'commonjs' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
      },
    ],
  },
  // Its package.json has an entry for import only, and Jest looks for one for require.
  moduleNameMapper: { '^@open-rpc/client-js$': '<rootDir>/node_modules/@open-rpc/client-js/dist/index.js' },
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly})/)`],
  testTimeout: 300_000,
  // Servers and services run beside the workers, and tests wait for them: one worker more than the two cores of a small
  // machine keeps these busy.
  maxWorkers: 3,
  testSequencer: '<rootDir>/test/support/longest-first.cjs',
  // A busy machine may need longer than the default, half a second, to end a worker that has nothing left to do. One that
  // is kept alive by a handle is still reported.
  workerGracefulExitTimeout: 5000,
};
