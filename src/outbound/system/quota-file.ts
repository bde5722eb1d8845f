import { QUOTA_KINDS, type Quota } from '../../core/domain/quota';
import type { Quotas } from '../../core/ports/quotas';

const MEMBERS = ['default', 'organizations'];

export interface ParsedQuotas {
  /** Of organisations without a quota of their own. */
  readonly otherwise: Quota;
  readonly byOrganization: ReadonlyMap<string, Quota>;
}

/** A file of quotas that cannot be used. The message is one line, and says where in the file. */
export class QuotaFileError extends Error {}

/** The quotas of a file, as it is now. */
export class QuotasOfFile implements Quotas {
  constructor(private readonly valid: () => ParsedQuotas) {}

  of(organization: string): Quota {
    const { byOrganization, otherwise } = this.valid();
    return byOrganization.get(organization) ?? otherwise;
  }
}

/**
 * The quotas of a text: `{ "default": { attachments, bytes }, "organizations": { name: { attachments, bytes } } }`.
 * Throws `QuotaFileError`.
 */
export function parseQuotas(text: string): ParsedQuotas {
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
