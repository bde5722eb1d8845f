import type { TraceContext } from '../domain/trace-context';

/** No credential, and nothing that a caller sent as data: what traces hold leaves the service. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  /** One of few: tools count and group by it. */
  readonly name: string;
  readonly kind: 'server' | 'client' | 'producer' | 'internal';
  readonly attributes: SpanAttributes;
  /**
   * Of another process, or of an earlier time. Undefined: the work that is under way, or a new trace if there is none.
   */
  readonly parent?: TraceContext;
  /** Of calls from which the work follows, although it is no part of them. */
  readonly links?: readonly TraceContext[];
}

/** A piece of work that is under way. */
export interface Span {
  /** For what follows from the work elsewhere. */
  readonly context: TraceContext;
  set(attributes: SpanAttributes): void;
  /** The work has failed. `type` is one of few words or codes. */
  fail(type: string): void;
}

/** A span that is to be ended. */
export interface OpenSpan extends Span {
  /** What `work` does is part of the span. */
  run<T>(work: () => T): T;
  end(): void;
}

/**
 * Tells the operator which part of a call took how long, also across processes. Never fails the work, never delays it,
 * and loses spans rather than memory. While it is off, no method needs to be called.
 */
export abstract class Tracing {
  abstract readonly isOn: boolean;

  abstract begin(options: SpanOptions): OpenSpan;

  /** A span that ends when `work` does; it fails if `work` rejects. */
  abstract span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;

  /**
   * The same for a part of the work under way. Without such work, or if its trace is not recorded, there is no span.
   */
  abstract part<T>(options: SpanOptions, work: (span?: Span) => Promise<T>): Promise<T>;
}

class TracingOff extends Tracing {
  readonly isOn = false;

  begin(): OpenSpan {
    return NO_SPAN;
  }

  span<T>(_options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    return work(NO_SPAN);
  }

  part<T>(_options: SpanOptions, work: (span?: Span) => Promise<T>): Promise<T> {
    return work();
  }
}

const NO_SPAN: OpenSpan = {
  context: { traceparent: '00-00000000000000000000000000000000-0000000000000000-00' },
  set: () => undefined,
  fail: () => undefined,
  run: (work) => work(),
  end: () => undefined,
};

export const TRACING_OFF: Tracing = new TracingOff();
