/** The tests of `deploy/`: they need programs that no other test needs (haproxy, promtool, helm, kubectl). */
const others = require('./jest.config');

/** @type {import('jest').Config} */
module.exports = {
  ...others,
  roots: ['<rootDir>/test/deploy'],
  testPathIgnorePatterns: ['/node_modules/'],
  globalSetup: '<rootDir>/test/support/install-deployment-tools.ts',
};
