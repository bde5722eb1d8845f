import type { Answer, Transport } from './answer.ts';
import type { Random } from './backoff.ts';
import { CallRunner, type RepeatableCall } from './call-runner.ts';
import type { Credential } from './credential.ts';
import { DegradedError, type DossierError } from './dossier-error.ts';
import { followEvents, type EventsOptions, type ReceivedEvent } from './follow-events.ts';
import { HttpTransport, type Fetch } from './http-transport.ts';
import type { Json } from './json.ts';
import { NatsTransport, type Nats } from './nats-transport.ts';
import { factsOf, isRepeatable } from './is-repeatable.ts';
import type {
  Args,
  BatchCall,
  BatchCalls,
  BatchOutcomes,
  CallOptions,
  Method,
  ParamsOf,
  ResultOf,
} from './typed-calls.ts';

export * from './dossier-error.ts';
export * from './generated/errors.ts';
export * from './generated/events.ts';
export * from './generated/methods.ts';
export type { Credential } from './credential.ts';
export type { EventsOptions, ReceivedEvent } from './follow-events.ts';
export type { Fetch, FetchResponse } from './http-transport.ts';
export type { Json } from './json.ts';
export type { Nats, NatsConnection, NatsHeaders } from './nats-transport.ts';
export { RpcError } from './rpc-error.ts';
export type {
  BatchCall,
  BatchCalls,
  BatchOutcome,
  BatchOutcomes,
  CallOptions,
  Method,
  ParamsOf,
  ResultOf,
} from './typed-calls.ts';

export interface ClientOptions extends Credential {
  /** Where the service is, such as `http://127.0.0.1:3000`. Needed for events; for calls unless `nats` is given. */
  readonly url?: string | undefined;
  /** Calls go over this connection. Events still come over HTTP. */
  readonly nats?: Nats | undefined;
  /** `globalThis.fetch` if it is left out. */
  readonly fetch?: Fetch | undefined;
  /** Of each call, its repetitions included; 10,000 if it is left out. */
  readonly timeoutMs?: number | undefined;
  /** How often a call that is safe to repeat is repeated at most; 3 if it is left out. */
  readonly retries?: number | undefined;
  /** For the time between repetitions; `Math.random` if it is left out. */
  readonly random?: Random | undefined;
  /** `JSON` if it is left out. */
  readonly json?: Json | undefined;
}

const TIMEOUT_MS = 10_000;
const RETRIES = 3;
const WEB_PROTOCOLS = ['http:', 'https:'];

/** Calls the methods of Dossier, and follows its events. Keeps no connection open, except during `events`. */
export class DossierClient {
  private readonly options: ClientOptions;
  private readonly runner: CallRunner;
  private calls = 0;

  /** Throws `TypeError` for options that cannot be used. */
  constructor(options: ClientOptions) {
    if (options.apiKey !== undefined && options.token !== undefined) {
      throw new TypeError('apiKey and token cannot be used together: if both are sent, only the key decides');
    }
    this.options = options;
    this.runner = new CallRunner(this.transport(), options.random ?? Math.random);
  }

  /**
   * The result of a method. Throws an `RpcError` if the service refuses or fails the call, another `DossierError` if
   * there is no usable answer, and the reason of `signal` when it aborts.
   */
  async call<M extends Method, O extends CallOptions = object>(
    method: M,
    ...[params, options]: Args<M, O>
  ): Promise<ResultOf<M, O>> {
    const [answer] = await this.run([this.repeatable(method, params)], options);
    const outcome = outcomeOf(method, answer as Answer, options);
    if (!outcome.ok) throw outcome.error;
    return outcome.result as ResultOf<M, O>;
  }

  /**
   * The outcome of each call, in their order: over HTTP they are one JSON-RPC batch, of at most 100 calls. One that
   * fails does not affect the others. Throws only the reason of `signal`.
   */
  async batch<const Ms extends readonly Method[], O extends CallOptions = object>(
    calls: BatchCalls<Ms>,
    options?: O,
  ): Promise<BatchOutcomes<Ms, O>> {
    const given = calls as readonly BatchCall[];
    const sent = given.map(({ method, params }) => this.repeatable(method, params));
    const answers = await this.run(sent, options);
    const outcomes = given.map(({ method }, i) => outcomeOf(method, answers[i] as Answer, options));
    return outcomes as unknown as BatchOutcomes<Ms, O>;
  }

  /**
   * The events that happen from now on, or behind `lastEventId`, until `signal` aborts. Connects again when the
   * connection ends, and misses nothing; an event may come again, with the same `metadata.eventId`. Throws
   * `ResponseError` if the service refuses, and `ConnectionError` if it cannot be reached at the beginning.
   */
  events(options: EventsOptions = {}): AsyncGenerator<ReceivedEvent, void> {
    const { random = Math.random, retries = RETRIES } = this.options;
    const source = { url: this.address('/events'), credential: this.options, fetch: this.fetch(), random, retries };
    return followEvents(source, options);
  }

  private run(calls: readonly RepeatableCall[], options: CallOptions = {}): Promise<readonly Answer[]> {
    const timeoutMs = options.timeoutMs ?? this.options.timeoutMs ?? TIMEOUT_MS;
    const retries = options.retries ?? this.options.retries ?? RETRIES;
    return this.runner.run(calls, { timeoutMs, retries, signal: options.signal });
  }

  private repeatable<M extends Method>(method: M, params: ParamsOf<M> | undefined): RepeatableCall {
    const wire = { jsonrpc: '2.0', id: ++this.calls, method, params: params ?? {} } as const;
    return { wire, isRepeatable: isRepeatable(method, params ?? {}) };
  }

  private transport(): Transport {
    const { nats, apiKey, token, instanceId, json = JSON } = this.options;
    const credential = { apiKey, token, instanceId };
    if (nats) return new NatsTransport(nats, credential, json);
    return new HttpTransport(this.address('/rpc'), credential, this.fetch(), json);
  }

  private address(path: string): string {
    // Callers without types give a `URL`, too.
    const url = String(this.options.url);
    const isAddress = URL.canParse(url) && WEB_PROTOCOLS.includes(new URL(url).protocol);
    if (!isAddress) throw new TypeError('url must be the address of the service, with http:// or https://');
    return url.replace(/\/+$/, '') + path;
  }

  /** A browser's `fetch` must not be called as the method of another object. */
  private fetch(): Fetch {
    return this.options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  }
}

function outcomeOf(
  method: Method,
  answer: Answer,
  options: CallOptions = {},
): { ok: true; result: unknown } | { ok: false; error: DossierError } {
  if ('error' in answer) return { ok: false, error: answer.error };
  const { result } = answer;
  if (factsOf(method)?.readOnly && !options.acceptDegraded && isDegraded(result)) {
    return { ok: false, error: new DegradedError(method, result) };
  }
  return { ok: true, result };
}

function isDegraded(result: unknown): result is object {
  return typeof result === 'object' && result !== null && 'degraded' in result && result.degraded === true;
}
