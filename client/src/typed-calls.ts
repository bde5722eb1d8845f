import type { DossierError } from './dossier-error.ts';
import type { METHODS, Methods } from './generated/methods.ts';

export type Method = keyof Methods;

export type ParamsOf<M extends Method> = Methods[M]['params'];

export interface CallOptions {
  /** In place of that of the client. */
  readonly timeoutMs?: number | undefined;
  /** In place of that of the client. */
  readonly retries?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** True: a result that was made without PostgreSQL is returned, with `degraded: true`, instead of thrown. */
  readonly acceptDegraded?: boolean | undefined;
}

type IsRead<M extends Method> = (typeof METHODS)[M]['readOnly'];

/**
 * Without `acceptDegraded`, the result of a read has no `degraded`: the client throws `DegradedError` instead. A
 * degraded write is done, so it is returned.
 */
export type ResultOf<M extends Method, O extends CallOptions = object> = O extends { readonly acceptDegraded: true }
  ? Methods[M]['result']
  : IsRead<M> extends true
    ? Omit<Methods[M]['result'], 'degraded'>
    : Methods[M]['result'];

/** Params may be left out if a method needs none. */
type NeedsNone<M extends Method> = Record<never, never> extends ParamsOf<M> ? true : false;

export type Args<M extends Method, O extends CallOptions> =
  NeedsNone<M> extends true ? [params?: ParamsOf<M>, options?: O] : [params: ParamsOf<M>, options?: O];

/** One call of a batch. */
export type BatchCall<M extends Method = Method> = M extends Method
  ? { readonly method: M } & (NeedsNone<M> extends true
      ? { readonly params?: ParamsOf<M> }
      : { readonly params: ParamsOf<M> })
  : never;

/** The calls of a batch, by their methods. */
export type BatchCalls<Ms extends readonly Method[]> = { readonly [I in keyof Ms]: BatchCall<Ms[I]> };

export type BatchOutcome<Result> =
  { readonly ok: true; readonly result: Result } | { readonly ok: false; readonly error: DossierError };

/** The outcome of each call, at the place of the call. */
export type BatchOutcomes<Ms extends readonly Method[], O extends CallOptions> = {
  readonly [I in keyof Ms]: BatchOutcome<ResultOf<Ms[I], O>>;
};
