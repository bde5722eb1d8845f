import { Counter, Histogram, type Registry } from 'prom-client';
import type { CallIds } from '../correlation/call-ids';
import type { CallOrigin } from './call-context';
import { CallLog } from './call-log';
import {
  FORBIDDEN,
  INTERNAL_ERROR,
  INVALID_REQUEST,
  METHOD_FAILED,
  PARSE_ERROR,
  RATE_LIMITED,
  SERVICE_UNAVAILABLE,
  UNAUTHORIZED,
  type ErrorWord,
  type JsonRpcError,
} from './json-rpc-error';

/** A hit of the cache takes a millisecond, and a call ends within five seconds. */
const BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const FAILURES: readonly number[] = [INTERNAL_ERROR, METHOD_FAILED, SERVICE_UNAVAILABLE];
/** Refusals that say nothing about the call itself. */
const REJECTIONS: readonly (ErrorWord | undefined)[] = [
  'FORBIDDEN',
  'KEY_SET_UNAVAILABLE',
  'OVERLOADED',
  'RATE_LIMITED',
  'SHUTTING_DOWN',
  'UNAUTHORIZED',
];

/** Of the service, or of the caller. */
type CallOutcome =
  'ok' | 'failed' | 'invalid' | 'not_found' | 'rate_limited' | 'unauthorized' | 'abandoned' | 'refused';

/** How long calls take, how they end, and how many are refused untried. */
export class CallDurations {
  private readonly histogram: Histogram<'method' | 'transport' | 'outcome'>;
  private readonly degraded: Counter<'method'>;
  private readonly rejections: Counter<'reason'>;

  constructor(
    registry: Registry,
    private readonly log = new CallLog(),
  ) {
    const registers = [registry];
    this.histogram = new Histogram({
      name: 'dossier_request_duration_seconds',
      help: 'Duration of JSON-RPC calls. The outcome is ok, failed (the service is at fault), invalid, not_found, rate_limited, unauthorized, abandoned (its caller hung up, so that it got no more room), or refused for another reason. Sum over replicas.',
      labelNames: ['method', 'transport', 'outcome'],
      buckets: BUCKETS_SECONDS,
      registers,
    });
    this.degraded = new Counter({
      name: 'dossier_degraded_answers_total',
      help: 'Answers that carry degraded: true, because PostgreSQL could not be asked. Sum over replicas.',
      labelNames: ['method'],
      registers,
    });
    this.rejections = new Counter({
      name: 'dossier_requests_rejected_total',
      help: 'Messages and calls that were refused without being tried, by reason. Sum over replicas.',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of ['overloaded', 'parse_error', 'rate_limited', 'unauthorized']) {
      this.rejections.inc({ reason }, 0);
    }
  }

  /** An unknown method has no name here: a name that a caller made up must not become a label. */
  start(
    method = 'unknown',
    { transport, ids, isAbandoned }: Pick<CallOrigin, 'transport' | 'ids' | 'isAbandoned'>,
  ): (error?: JsonRpcError) => void {
    const startedAtMs = performance.now();
    return (error) => {
      // Who has hung up gets no more room, however much there is.
      const outcome = error?.data?.code === 'OVERLOADED' && isAbandoned?.() ? 'abandoned' : outcomeOf(error);
      if (error && outcome !== 'abandoned') this.thrown(error, ids);
      const durationMs = performance.now() - startedAtMs;
      this.histogram.observe({ method, transport, outcome }, durationMs / 1000);
      if (this.log.logsCalls) this.log.ended(method, transport, outcome, durationMs, ids);
    };
  }

  /** A result was made without PostgreSQL, although PostgreSQL should have been asked. */
  answeredDegraded(method: string): void {
    this.degraded.inc({ method });
  }

  /** By a call, or by an endpoint that is no method. */
  thrown(error: JsonRpcError, ids?: CallIds): void {
    if (REJECTIONS.includes(error.data?.code)) this.rejected(error, ids);
  }

  /** No method was called. */
  rejected({ code, data }: JsonRpcError, ids?: CallIds): void {
    const word = code === PARSE_ERROR ? 'PARSE_ERROR' : (data?.code ?? (code === INVALID_REQUEST && 'INVALID_REQUEST'));
    const reason = (word || 'other').toLowerCase();
    this.rejections.inc({ reason });
    this.log.refused(reason, ids);
  }
}

function outcomeOf(error: JsonRpcError | undefined): CallOutcome {
  if (error === undefined) return 'ok';
  if (FAILURES.includes(error.code)) return 'failed';
  if (error.code === RATE_LIMITED) return 'rate_limited';
  if (error.code === UNAUTHORIZED || error.code === FORBIDDEN) return 'unauthorized';
  if (error.data?.code === 'INVALID_PARAMS') return 'invalid';
  return error.data?.code.endsWith('_NOT_FOUND') ? 'not_found' : 'refused';
}
