import { Histogram, type Registry } from 'prom-client';
import type { Transport } from './call-context';
import { INTERNAL_ERROR, METHOD_FAILED, SERVICE_UNAVAILABLE, type JsonRpcError } from './json-rpc-error';

const FAILURES: readonly number[] = [INTERNAL_ERROR, METHOD_FAILED, SERVICE_UNAVAILABLE];

/** How long calls take. The outcome is `ok`, `refused` (the caller's fault) or `failed` (the service's fault). */
export class CallDurations {
  private readonly histogram: Histogram<'method' | 'transport' | 'outcome'>;

  constructor(registry: Registry) {
    this.histogram = new Histogram({
      name: 'dossier_request_duration_seconds',
      help: 'Duration of JSON-RPC calls by method, transport and outcome (ok, refused, failed).',
      labelNames: ['method', 'transport', 'outcome'],
      registers: [registry],
    });
  }

  /** An unknown method has no name here: a name that a caller made up must not become a label. */
  start(method = 'unknown', transport: Transport): (error?: JsonRpcError) => void {
    const startedAtMs = performance.now();
    return (error) => {
      const outcome = error === undefined ? 'ok' : FAILURES.includes(error.code) ? 'failed' : 'refused';
      this.histogram.observe({ method, transport, outcome }, (performance.now() - startedAtMs) / 1000);
    };
  }
}
