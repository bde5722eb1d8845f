import { Logger } from '@nestjs/common';
import { NO_QUOTAS, type Quotas } from '../core/ports/quotas';
import { QuotaFile, QuotaFileError } from '../outbound/system/quota-file';
import type { Config } from './config';
import { ConfigError } from './environment';

/** Throws `ConfigError` if the file cannot be used. */
export function openQuotas({ quotasFile }: Pick<Config, 'quotasFile'>): Quotas {
  if (quotasFile === undefined) return NO_QUOTAS;
  try {
    const quotas = QuotaFile.open(quotasFile, new Logger('quotas'));
    quotas.watch();
    return quotas;
  } catch (error) {
    throw error instanceof QuotaFileError ? new ConfigError(`QUOTAS_FILE ${error.message}`) : error;
  }
}
