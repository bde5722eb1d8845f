import { ConfigError, quote, type Environment } from './environment';

export interface TracingConfig {
  readonly protocol: 'http/protobuf' | 'http/json';
  /** The collector, without credentials and path. */
  readonly collector: string;
  /** As in `OTEL_EXPORTER_OTLP_HEADERS`: they may carry a credential. */
  readonly headers?: string;
}

const SAMPLERS = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [
  name,
  `parentbased_${name}`,
]) as readonly string[];
const PROTOCOLS = ['http/protobuf', 'http/json'] as const;

/** Read by the SDK of OpenTelemetry alone. */
const SDK_VARIABLES = [
  'OTEL_SERVICE_NAME',
  'OTEL_RESOURCE_ATTRIBUTES',
  'OTEL_EXPORTER_OTLP_TIMEOUT',
  'OTEL_EXPORTER_OTLP_COMPRESSION',
  'OTEL_EXPORTER_OTLP_CERTIFICATE',
  'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE',
  'OTEL_EXPORTER_OTLP_CLIENT_KEY',
];

/** Undefined if no traces are asked for: then nothing else of `OTEL_*` counts. Throws `ConfigError`. */
export function tracingConfig(env: Environment): TracingConfig | undefined {
  for (const name of SDK_VARIABLES) env.text(name);
  const headers = env.text('OTEL_EXPORTER_OTLP_HEADERS');
  const isOff = env.text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || env.text('OTEL_TRACES_EXPORTER') === 'none';
  const protocols = ['http:', 'https:'];
  const endpoint =
    env.url('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', protocols) ?? env.url('OTEL_EXPORTER_OTLP_ENDPOINT', protocols);
  if (isOff || endpoint === undefined) return undefined;
  const common = env.oneOf('OTEL_EXPORTER_OTLP_PROTOCOL', PROTOCOLS, 'http/protobuf');
  const protocol = env.oneOf('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', PROTOCOLS, common);
  checkSampler(env);
  return { protocol, collector: new URL(endpoint).origin, headers };
}

/** The SDK would go on with another sampler, which may record a hundred times as much. */
function checkSampler(env: Environment): void {
  const sampler = env.oneOf('OTEL_TRACES_SAMPLER', SAMPLERS, undefined);
  const ratio = env.text('OTEL_TRACES_SAMPLER_ARG');
  if (!sampler?.endsWith('traceidratio')) return;
  if (ratio !== undefined && /^(0|1|0?\.\d+|[01]\.0+)$/.test(ratio)) return;
  throw new ConfigError(
    `OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1 for ${sampler}, is ${ratio === undefined ? 'unset' : quote(ratio)}`,
  );
}
