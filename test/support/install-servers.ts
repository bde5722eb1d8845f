import { findOrInstall } from './installed-binary';
import { ensurePostgres } from './postgres-binaries';

/** Once before all tests, so that no two test files install at the same time. A missing server ends the run here. */
export default function installServers(): void {
  findOrInstall('redis-server', { apt: 'redis-server', brew: 'redis' });
  findOrInstall('nats-server', { apt: 'nats-server', brew: 'nats-server' });
  ensurePostgres();
}
