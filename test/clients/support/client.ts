import type { RpcError } from '../../support/service';

export interface Call {
  readonly method: string;
  readonly params?: object;
}

/** Of one call: exactly one of the two. */
export interface Outcome {
  readonly result?: unknown;
  readonly error?: RpcError;
}

/** A client library, used as its documentation shows. */
export interface Client {
  call(call: Call): Promise<Outcome>;
  /** Resolves when it is sent. Undefined if the library cannot send notifications. */
  notify?(call: Call): Promise<void>;
  /** The outcomes in the order of the calls. Undefined if the library cannot send batches. */
  batch?(calls: readonly Call[]): Promise<readonly Outcome[]>;
  close?(): Promise<void>;
}

/** `errorOf` finds the error of the reply in what the library has thrown. */
export async function outcomeOf(
  promise: PromiseLike<unknown>,
  errorOf: (thrown: unknown) => RpcError = (thrown) => thrown as RpcError,
): Promise<Outcome> {
  try {
    return { result: await promise };
  } catch (thrown) {
    const { code, message, data } = errorOf(thrown);
    return { error: { code, message, data } };
  }
}
