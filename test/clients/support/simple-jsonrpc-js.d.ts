/** The library has no types of its own. */
declare module 'simple-jsonrpc-js' {
  interface Request {
    readonly method: string;
    readonly params?: object;
  }

  export default class SimpleJsonRpc {
    toStream: (message: string) => void;
    call(method: string, params?: object): Promise<unknown>;
    notification(method: string, params?: object): void;
    batch(requests: readonly { readonly call: Request }[]): Promise<readonly unknown[]>;
    messageHandler(text: string): Promise<unknown>;
  }
}
