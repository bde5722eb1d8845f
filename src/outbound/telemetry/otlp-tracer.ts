import { setTimeout as sleep } from 'node:timers/promises';
import { diag, DiagLogLevel, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector, resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';

/** For what has not been sent when the process ends. A collector that does not respond delays the end by no more. */
const FLUSH_TIMEOUT_MS = 2000;

export interface OtlpOptions {
  readonly protocol: 'http/protobuf' | 'http/json';
  /** Unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` says something else. */
  readonly serviceName: string;
  readonly serviceVersion: string;
  readonly instanceId: string;
  /** For the collector: `name=value,name=value`, the values percent-encoded. */
  readonly headers?: string;
  /** Called for each export that fails, and for what the SDK finds wrong. Bounds the rate. */
  readonly warn: (line: string) => void;
}

/**
 * Spans are collected in memory, at most 2048 of them, and sent in batches; more are dropped. Endpoint, sampler, limits
 * and all else are read by the SDK from the variables `OTEL_*`.
 */
export function openTracer(options: OtlpOptions): { tracer: Tracer; close: () => Promise<void> } {
  const { protocol, serviceVersion, headers, warn } = options;
  const report = { error: warn, warn, info: () => undefined, debug: () => undefined, verbose: () => undefined };
  diag.setLogger(report, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const Exporter = protocol === 'http/json' ? JsonExporter : ProtobufExporter;
  const exporter = new Exporter({ headers: headersOf(headers) });
  const provider = new BasicTracerProvider({
    resource: resourceOf(options),
    spanProcessors: [new BatchSpanProcessor(reporting(exporter, warn))],
  });
  return {
    tracer: provider.getTracer('dossier', serviceVersion),
    close: async () => {
      const flushed = provider.shutdown().catch(() => undefined);
      await Promise.race([flushed, sleep<void>(FLUSH_TIMEOUT_MS, undefined, { ref: false })]);
    },
  };
}

function headersOf(list = ''): Record<string, string> {
  const pairs = list.split(',').map((pair) => pair.split('='));
  const known = pairs.filter(([name, value]) => name?.trim() && value !== undefined);
  return Object.fromEntries(known.map(([name = '', ...value]) => [name.trim(), decoded(value.join('='))]));
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value.trim());
  } catch {
    return value.trim();
  }
}

function resourceOf({ serviceName, serviceVersion, instanceId }: OtlpOptions): Resource {
  const own = resourceFromAttributes({
    'service.name': serviceName,
    'service.version': serviceVersion,
    'service.instance.id': instanceId,
  });
  return own.merge(detectResources({ detectors: [envDetector] }));
}

const SUCCESS = 0;

/** The processor drops what could not be sent, and would write the stack of the error to the log. */
function reporting(exporter: SpanExporter, warn: (line: string) => void): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error) warn(`${spans.length} spans are lost: ${result.error.message}`);
        done({ code: SUCCESS });
      }),
    shutdown: () => exporter.shutdown(),
  };
}
