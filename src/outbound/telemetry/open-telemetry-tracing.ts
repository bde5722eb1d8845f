import { AsyncLocalStorage } from 'node:async_hooks';
import type { OnApplicationShutdown } from '@nestjs/common';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span as SdkSpan, type Tracer } from '@opentelemetry/api';
import { Tracing, type OpenSpan, type Span, type SpanAttributes, type SpanOptions } from '../../core/ports/tracing';
import { StoreError } from '../../core/ports/store-error';
import { remoteSpan, traceContextOf } from './span-contexts';
import { openTracer, type OtlpOptions } from './otlp-tracer';

const KINDS: Readonly<Record<SpanOptions['kind'], SpanKind>> = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  internal: SpanKind.INTERNAL,
};

/** Spans by the SDK of OpenTelemetry. What is under way is known from the asynchronous context; nothing is global. */
export class OpenTelemetryTracing extends Tracing implements OnApplicationShutdown {
  readonly isOn = true;
  private readonly underWay = new AsyncLocalStorage<SdkSpan>();

  constructor(
    private readonly tracer: Tracer,
    /** Sends what has not been sent, or gives up within seconds. Never rejects. */
    private readonly close: () => Promise<void> = () => Promise.resolve(),
  ) {
    super();
  }

  static overOtlp(options: OtlpOptions): OpenTelemetryTracing {
    const { tracer, close } = openTracer(options);
    return new OpenTelemetryTracing(tracer, close);
  }

  begin({ name, kind, attributes, parent, links = [] }: SpanOptions): OpenSpan {
    const around = parent ? remoteSpan(parent) : this.underWay.getStore();
    const options = {
      kind: KINDS[kind],
      attributes,
      links: links.flatMap((link) => {
        const linked = remoteSpan(link);
        return linked ? [{ context: linked.spanContext() }] : [];
      }),
    };
    const context = around ? trace.setSpan(ROOT_CONTEXT, around) : ROOT_CONTEXT;
    return new TracedWork(this.tracer.startSpan(name, options, context), this.underWay);
  }

  async span<T>(options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const span = this.begin(options);
    try {
      return await span.run(() => work(span));
    } catch (error) {
      const code = error instanceof StoreError ? error.code : undefined;
      if (code !== undefined) span.set({ 'db.response.status_code': code });
      span.fail(code ?? typeOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  part<T>(options: SpanOptions, work: (span?: Span) => Promise<T>): Promise<T> {
    return this.underWay.getStore()?.isRecording() ? this.span(options, work) : work();
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }
}

class TracedWork implements OpenSpan {
  private failedAs?: string;

  constructor(
    private readonly sdk: SdkSpan,
    private readonly underWay: AsyncLocalStorage<SdkSpan>,
  ) {}

  get context() {
    return traceContextOf(this.sdk.spanContext());
  }

  set(attributes: SpanAttributes): void {
    this.sdk.setAttributes(attributes);
  }

  /** The first reason counts: what follows from it knows less. */
  fail(type: string): void {
    this.failedAs ??= type;
    this.sdk.setAttribute('error.type', this.failedAs).setStatus({ code: SpanStatusCode.ERROR });
  }

  run<T>(work: () => T): T {
    return this.underWay.run(this.sdk, work);
  }

  end(): void {
    this.sdk.end();
  }
}

/** Never the message: it may quote what was to be stored. */
function typeOf(error: unknown): string {
  if (error instanceof StoreError) return error.outcome;
  return error instanceof Error ? error.name : '_OTHER';
}
