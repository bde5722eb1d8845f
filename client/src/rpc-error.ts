import { DossierError } from './dossier-error.ts';

/**
 * The service has refused the call, or has failed it. Each word of `data.code` has a class of its own; an error without
 * a word, or with one that is newer than this client, is an `RpcError` and nothing more.
 */
export class RpcError<Data extends object | undefined = object | undefined> extends DossierError {
  override readonly name: string = 'RpcError';

  constructor(
    /** Of JSON-RPC. */
    readonly code: number,
    message: string,
    readonly data: Data,
    readonly retryable: boolean,
  ) {
    super(message);
  }
}
