import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { types } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { QUOTA_KINDS, type Quota } from '../../core/domain/quota';
import type { Quotas } from '../../core/ports/quotas';

/** A change takes effect about as soon; reading one small file costs next to nothing. */
const REREAD_INTERVAL_MS = 1000;
const MEMBERS = ['default', 'organizations'];

interface ParsedQuotas {
  /** Of organisations without a quota of their own. */
  readonly otherwise: Quota;
  readonly byOrganization: ReadonlyMap<string, Quota>;
}

/** A file of quotas that cannot be used. The message is one line, and says where in the file. */
export class QuotaFileError extends Error {}

/** The quotas of a file: `{ "default": { attachments, bytes }, "organizations": { name: { attachments, bytes } } }`. */
export class QuotaFile implements Quotas {
  private constructor(
    private readonly path: string,
    private text: string | undefined,
    private parsed: ParsedQuotas,
    private readonly logger: LoggerService,
  ) {}

  /** Throws `QuotaFileError`. */
  static open(path: string, logger: LoggerService): QuotaFile {
    try {
      const text = readFileSync(path, 'utf8');
      return new QuotaFile(path, text, parseQuotas(text), logger);
    } catch (error) {
      throw asFileError(error);
    }
  }

  of(organization: string): Quota {
    return this.parsed.byOrganization.get(organization) ?? this.parsed.otherwise;
  }

  /** From now on a change of the file takes effect by itself. If the file becomes unusable, the old quotas stay. */
  watch(): void {
    setTimeout(() => void this.reread().finally(() => this.watch()), REREAD_INTERVAL_MS).unref();
  }

  /** Never rejects. Compares texts: a mounted or replaced file may keep its time and its size. */
  async reread(): Promise<void> {
    let text: string | undefined;
    try {
      text = await readFile(this.path, 'utf8');
      if (text === this.text) return;
      this.parsed = parseQuotas(text);
      this.logger.log(`QUOTAS_FILE has changed: ${this.parsed.byOrganization.size} organisations are named`);
    } catch (error) {
      // One line for each change, not for each time that the file is read.
      if (text === undefined && this.text === undefined) return;
      this.logger.error(`QUOTAS_FILE ${asFileError(error).message}: the quotas read before stay valid`);
    }
    this.text = text;
  }
}

function parseQuotas(text: string): ParsedQuotas {
  const { default: otherwise = {}, organizations = {} } = membersOf(parseJson(text), '', MEMBERS);
  const quotas = Object.entries(membersOf(organizations, 'organizations'));
  return {
    otherwise: quotaOf(otherwise, 'default'),
    byOrganization: new Map(
      quotas.map(([name, quota]) => [name, quotaOf(quota, `organizations[${JSON.stringify(name)}]`)]),
    ),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The message may quote the text, which may be a secret by mistake. Not every message has the position.
    const [, position] = /position (\d+)/.exec((error as Error).message) ?? [];
    const line = text.slice(0, Number(position)).split('\n').length;
    throw new QuotaFileError(position === undefined ? 'is not JSON' : `is not JSON, at line ${line}`);
  }
}

/** Of the object at a place in the file. */
function membersOf(value: unknown, place: string, known?: readonly string[]): Record<string, unknown> {
  const at = place && `at ${place}: `;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new QuotaFileError(`${at}must be an object`);
  }
  const unknown = known && Object.keys(value).find((member) => !known.includes(member));
  if (unknown !== undefined) {
    throw new QuotaFileError(`${at}must have no members but ${known?.join(' and ')}, has ${JSON.stringify(unknown)}`);
  }
  return value as Record<string, unknown>;
}

function quotaOf(value: unknown, place: string): Quota {
  const members = membersOf(value, place, QUOTA_KINDS);
  for (const [kind, limit] of Object.entries(members)) {
    if (Number.isSafeInteger(limit) && (limit as number) >= 0) continue;
    throw new QuotaFileError(`at ${place}.${kind}: must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  return members;
}

function asFileError(error: unknown): QuotaFileError {
  if (error instanceof QuotaFileError) return error;
  const code = types.isNativeError(error) && 'code' in error ? String(error.code) : 'unknown error';
  return new QuotaFileError(`cannot be read (${code})`);
}
