/** What an organisation has stored. */
export interface Usage {
  readonly tasks: number;
  /** Live ones. */
  readonly attachments: number;
  /** Of their values and contents, in UTF-8. */
  readonly bytes: number;
}

export const QUOTA_KINDS = ['attachments', 'bytes'] as const;
export type QuotaKind = (typeof QUOTA_KINDS)[number];

/** What an organisation may store; undefined for any number. */
export type Quota = Readonly<Partial<Record<QuotaKind, number>>>;

/** What a write adds. */
export type Addition = Readonly<Record<QuotaKind, number>>;

export const NO_ADDITION: Addition = { attachments: 0, bytes: 0 };

export function sumOf(a: Addition, b: Addition): Addition {
  return { attachments: a.attachments + b.attachments, bytes: a.bytes + b.bytes };
}

export function differenceOf(a: Addition, b: Addition): Addition {
  return { attachments: a.attachments - b.attachments, bytes: a.bytes - b.bytes };
}

/** The first quota that `added` would exceed. What adds nothing of its kind exceeds nothing. */
export function exceeded(quota: Quota, use: Addition, added: Addition): QuotaKind | undefined {
  return QUOTA_KINDS.find((kind) => added[kind] > 0 && use[kind] + added[kind] > (quota[kind] ?? Infinity));
}
