import type { NamedEndpointStats, Service } from '@nats-io/services';
import type { JsonRpcError } from '../json-rpc/json-rpc-error';

const NANOSECONDS_PER_MS = 1e6;

/** What service discovery says of one method. */
export class EndpointTally {
  private requests = 0;
  private errors = 0;
  private lastError?: JsonRpcError;
  private processingMs = 0;

  count(durationMs: number, error?: JsonRpcError): void {
    this.requests += 1;
    this.processingMs += durationMs;
    if (!error) return;
    this.errors += 1;
    this.lastError = error;
  }

  /** The last error by its code and its word: a message may name an attachment. */
  get stats(): Partial<NamedEndpointStats> {
    const processingTime = Math.round(this.processingMs * NANOSECONDS_PER_MS);
    return {
      num_requests: this.requests,
      num_errors: this.errors,
      last_error: this.lastError && [this.lastError.code, this.lastError.data?.['code']].join(' ').trimEnd(),
      processing_time: processingTime,
      average_processing_time: this.requests === 0 ? 0 : Math.round(processingTime / this.requests),
    };
  }
}

/** The library counts what a handler throws, and the time until it returns. Ours throw nothing and return at once. */
export function showTallies(service: Service, tallies: ReadonlyMap<string, EndpointTally>): void {
  const countedByLibrary = service.stats.bind(service);
  service.stats = async () => {
    const stats = await countedByLibrary();
    const endpoints = stats.endpoints?.map((endpoint) => ({ ...endpoint, ...tallies.get(endpoint.subject)?.stats }));
    return { ...stats, endpoints };
  };
}
