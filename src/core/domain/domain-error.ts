import type { QuotaKind } from './quota';

export interface FieldError {
  /** Path of the parameter: `key`, `updates.priority`, `requests[3].taskId`. */
  readonly field: string;
  readonly message: string;
}

/** Why the domain refuses: the facts, without the words or the codes of any transport. */
export type Refusal =
  | { readonly kind: 'invalid'; readonly errors: readonly FieldError[] }
  | { readonly kind: 'task-not-found'; readonly taskId: string }
  | { readonly kind: 'attachment-not-found'; readonly taskId: string; readonly key: string }
  | { readonly kind: 'task-exists'; readonly taskId: string }
  | {
      /** What would change the status of a task for which no further change of the status is possible. */
      readonly kind: 'task-finished';
      readonly taskId: string;
      readonly status: 'completed' | 'failed' | 'cancelled';
      readonly finishedBy?: string;
      readonly finishedAtMs?: number;
    }
  | {
      /** What would store more than the organisation may; `use` is what it has stored. */
      readonly kind: 'quota-exceeded';
      readonly quota: QuotaKind;
      readonly limit: number;
      readonly use: number;
    }
  | {
      /** An `ifVersion` or `ifAbsent` condition does not hold; null if nothing is there. */
      readonly kind: 'version-conflict';
      readonly taskId: string;
      readonly key: string;
      readonly currentVersion: number | null;
    };

export class DomainError extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.kind);
    this.name = 'DomainError';
  }
}

export function invalid(field: string, message: string): DomainError {
  return new DomainError({ kind: 'invalid', errors: [{ field, message }] });
}

/** Throws one refusal that names every wrong field at once; does nothing if there is none. */
export function refuseIfAny(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw new DomainError({ kind: 'invalid', errors });
}
