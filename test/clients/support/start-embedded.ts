import { startService, type Environment, type Service } from '../../support/service';

/** The service as it starts with no server beside it, on data that nothing keeps. */
export function startEmbedded(more: Environment = {}): Promise<Service> {
  return startService({ DATA_DIR: 'memory', INSTANCE_ID: 'clients', ...more });
}
