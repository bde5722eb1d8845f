import { findOrInstall } from './installed-binary';

/** Once before all tests, so that no two test files install at the same time. A missing server ends the run here. */
export default function installServers(): void {
  findOrInstall('redis-server', { apt: 'redis-server', brew: 'redis' });
  findOrInstall('initdb', { apt: 'postgresql', brew: 'postgresql@17' });
}
