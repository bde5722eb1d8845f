import { join } from 'node:path';
import { buildServiceFor } from './build-service';
import { findOrInstall } from './installed-binary';
import { ensurePostgres } from './postgres-binaries';

const NEEDS_NO_SERVER = /^test\/(unit|simulation|architecture)/;
/** A browser is large: it is installed only for these tests. */
const TESTS_OF_PAGE = join(__dirname, '../e2e/page.spec.ts');

/**
 * Runs once before all tests, so that no two test files install or build at the same time. A missing server ends the
 * run.
 */
export default function installServers({ testPathPatterns }: { testPathPatterns: { patterns: string[] } }): void {
  const { patterns } = testPathPatterns;
  const needsServers = patterns.length === 0 || patterns.some((pattern) => !NEEDS_NO_SERVER.test(pattern));
  if (!needsServers) return;
  findOrInstall('redis-server');
  findOrInstall('nats-server');
  findOrInstall('pgbouncer');
  findOrInstall('openssl');
  if (patterns.length === 0 || patterns.some((pattern) => new RegExp(pattern, 'i').test(TESTS_OF_PAGE))) {
    findOrInstall('chromium');
    findOrInstall('python3');
  }
  ensurePostgres();
  buildServiceFor(patterns);
}
