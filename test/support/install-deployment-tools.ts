import { buildServiceFor } from './build-service';
import { findOrInstall } from './installed-binary';
import { findOrFetch } from './kubernetes-tools';
import { ensurePostgres } from './postgres-binaries';

/** Runs once before the tests of `deploy/`. A missing program ends the run. */
export default function installDeploymentTools(): void {
  findOrInstall('redis-server');
  findOrInstall('nats-server');
  findOrInstall('haproxy');
  findOrInstall('promtool');
  findOrInstall('psql');
  findOrFetch('helm');
  findOrFetch('kubectl');
  ensurePostgres();
  buildServiceFor(['test/deploy']);
}
