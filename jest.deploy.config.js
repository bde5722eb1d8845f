/** The tests of `deploy/`: they need programs that no other test needs (haproxy, promtool, helm, kubectl). */
const { testPathIgnorePatterns: _, ...others } = require('./jest.config');

/** @type {import('jest').Config} */
module.exports = {
  ...others,
  roots: ['<rootDir>/test/deploy'],
  globalSetup: '<rootDir>/test/support/install-deployment-tools.ts',
};
