import { buildServiceFor } from './build-service';
import { findOrInstall } from './installed-binary';
import { ensurePostgres } from './postgres-binaries';

const NEEDS_NO_SERVER = /^test\/(unit|simulation|architecture)/;

/** Runs once before all tests, so that no two test files install or build at the same time. A missing server ends the run. */
export default function installServers({ testPathPatterns }: { testPathPatterns: { patterns: string[] } }): void {
  const { patterns } = testPathPatterns;
  const needsServers = patterns.length === 0 || patterns.some((pattern) => !NEEDS_NO_SERVER.test(pattern));
  if (!needsServers) return;
  findOrInstall('redis-server');
  findOrInstall('nats-server');
  findOrInstall('pgbouncer');
  findOrInstall('openssl');
  ensurePostgres();
  buildServiceFor(patterns);
}
