import { Logger } from '@nestjs/common';
import { NO_QUOTAS, type Quotas } from '../core/ports/quotas';
import { parseQuotas, QuotasOfFile, type ParsedQuotas } from '../outbound/system/quota-file';
import type { Config } from './config';
import { RereadFile } from './reread-file';

const QUOTAS = {
  variable: 'QUOTAS_FILE',
  kind: 'quotas',
  parse: parseQuotas,
  describe: ({ byOrganization }: ParsedQuotas) => `${byOrganization.size} organisations are named`,
} as const;

/** Throws `ConfigError` if the file cannot be used. */
export function openQuotas({ quotasFile }: Pick<Config, 'quotasFile'>): Quotas {
  if (quotasFile === undefined) return NO_QUOTAS;
  const file = new RereadFile(quotasFile, QUOTAS, new Logger('quotas')).watch();
  return new QuotasOfFile(() => file.content);
}
