// Dependencies that ship only as ES modules are transformed with our own code: Jest runs CommonJS.
const esmOnly =
  '@nestjs|@electric-sql|file-type|@tokenizer|strtok3|token-types|uint8array-extras|load-esm|lru-cache|fast-check|pure-rand|jose';

/** @type {import('jest').Config} */
module.exports = {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
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
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly})/)`],
  testTimeout: 120_000,
  // Servers and services run beside the workers: more of them would only wait for each other.
  maxWorkers: 2,
};
