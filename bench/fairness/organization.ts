import { keyOf } from '../../test/support/organization-keys';

export type Params = Readonly<Record<string, unknown>>;

interface Reply {
  readonly error?: { readonly message: string; readonly data?: { readonly code: string } };
}

/** Calls the service as one organisation. */
export class Organization {
  private readonly headers: Record<string, string>;

  constructor(
    readonly url: string,
    name: string,
  ) {
    this.headers = { 'content-type': 'application/json', ...keyOf(name) };
  }

  put(taskId: string, key: string, content: string): Promise<string | undefined> {
    return this.call('task.create_attachment', { taskId, key, type: 'text', content });
  }

  /** `value` is JSON text. */
  putJson(taskId: string, key: string, value: string): Promise<unknown> {
    const params = `{"taskId":"${taskId}","key":"${key}","type":"json","value":${value}}`;
    return this.post(`{"jsonrpc":"2.0","method":"task.create_attachment","params":${params},"id":1}`);
  }

  /** Why it was refused. */
  async call(method: string, params: Params): Promise<string | undefined> {
    const { error } = (await this.post(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }))) as Reply;
    return error && (error.data?.code ?? error.message);
  }

  /** One batch. */
  send(count: number, call: () => readonly [method: string, params: Params]): Promise<unknown> {
    return this.post(batchOf(count, call));
  }

  all(count: number, call: () => Promise<unknown>): Promise<unknown> {
    return Promise.all(Array.from({ length: count }, call));
  }

  /** The first part of what `GET /events` streams; `query` begins with a question mark, or is empty. */
  async firstEvents(query: string): Promise<string> {
    const response = await fetch(`${this.url}/events${query}`, { headers: this.headers });
    if (!response.ok) throw new Error(`/events: ${response.status}`);
    const reader = response.body?.getReader();
    const part = await reader?.read();
    await reader?.cancel().catch(() => undefined);
    return Buffer.from(part?.value ?? '').toString();
  }

  async post(body: string): Promise<unknown> {
    return (await fetch(`${this.url}/rpc`, { method: 'POST', headers: this.headers, body })).json();
  }
}

/** The text of a batch. */
export function batchOf(count: number, call: () => readonly [method: string, params: Params]): string {
  const calls = Array.from({ length: count }, (_, id) => {
    const [method, params] = call();
    return { jsonrpc: '2.0', method, params, id };
  });
  return JSON.stringify(calls);
}
