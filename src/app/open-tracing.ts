import { Logger } from '@nestjs/common';
import { TRACING_OFF, type Tracing } from '../core/ports/tracing';
import { BoundedLog } from '../inbound/load/bounded-log';
import type { Config } from './config';
import { packageVersion } from './package-version';

/** The packages of OpenTelemetry are loaded only if traces are asked for. */
export async function openTracing({ tracing, instanceId }: Config): Promise<Tracing> {
  if (!tracing) return TRACING_OFF;
  const { OpenTelemetryTracing } = await import('../outbound/telemetry/open-telemetry-tracing.js');
  const logger = new Logger('traces');
  const log = new BoundedLog((line) => logger.warn(line));
  return OpenTelemetryTracing.overOtlp({
    protocol: tracing.protocol,
    serviceName: 'dossier',
    serviceVersion: packageVersion(),
    instanceId,
    headers: tracing.headers,
    warn: (line) => log.add(line),
  });
}
