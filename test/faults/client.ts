import type { Environment, HttpReply, RpcReply } from '../support/service';
import type { Call } from './history';
import type { Replica } from './replica-group';

/** Far longer than a call may take: only a call without any answer is given up. */
const ANSWER_TIMEOUT_MS = 20_000;

export const UNAVAILABLE = -32001;
export const STORE_FAILED = -32500;
const INVALID_PARAMS = -32602;

export interface Answer<Reply> {
  /** Undefined if there was no answer. */
  readonly reply?: Reply;
  readonly at: Call;
}

export interface ClientOptions {
  /** The headers of a call in the name of this caller; those of a caller without credentials by default. */
  readonly headersOf?: (caller: string | undefined) => Promise<Environment> | Environment;
  /** Is told of every answer. `path` and `body` are those of the request. */
  readonly observe?: (seen: Observation) => void;
}

export interface Observation {
  readonly path: string;
  readonly body?: string;
  readonly reply: HttpReply;
  readonly at: Call;
}

/** Calls replicas, and records the answers that no client must ever get. */
export class Client {
  readonly unexpected: string[] = [];

  constructor(private readonly options: ClientOptions = {}) {}

  async rpc(replica: Replica, method: string, params: object, caller?: string): Promise<Answer<RpcReply>> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const { reply, at } = await this.post(replica, body, caller);
    return { reply: reply && (JSON.parse(reply.text) as RpcReply), at };
  }

  /** Any text as the body of a message. */
  async post(replica: Replica, body: string, caller?: string): Promise<Answer<HttpReply>> {
    const headers = { 'content-type': 'application/json', ...(await this.headersOf(caller)) };
    return this.fetch(replica, '/rpc', { method: 'POST', body, headers });
  }

  async deleteByRest(replica: Replica, taskId: string, caller: string): Promise<Answer<HttpReply>> {
    return this.fetch(replica, `/v1/tasks/${taskId}`, { method: 'DELETE', headers: await this.headersOf(caller) });
  }

  /** Errors other than those of an outage are unexpected. */
  expectOutage(reply: RpcReply): void {
    const { code } = reply.error ?? {};
    if (code !== UNAVAILABLE && code !== STORE_FAILED) this.unexpected.push(JSON.stringify(reply));
  }

  async fetch(
    replica: Replica,
    path: string,
    init: RequestInit & { readonly body?: string },
  ): Promise<Answer<HttpReply>> {
    const { service } = replica;
    const startedAtMs = performance.now();
    const reply = await service
      .fetch(path, { ...init, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })
      .catch((error) => {
        if (!replica.hasKilled(service)) this.unexpected.push(`no answer from a living replica: ${String(error)}`);
        return undefined;
      });
    const at = { replica: `${replica.name}#${service.pid}`, startedAtMs, endedAtMs: performance.now() };
    if (reply) this.options.observe?.({ path, body: init.body, reply, at });
    return { reply, at };
  }

  private headersOf(caller: string | undefined): Promise<Environment> | Environment {
    return (this.options.headersOf ?? namedAs)(caller);
  }
}

export function isAttachmentMissing(reply: RpcReply): boolean {
  return isRefusal(reply, 'ATTACHMENT_NOT_FOUND');
}

export function isTaskMissing(reply: RpcReply): boolean {
  return isRefusal(reply, 'TASK_NOT_FOUND');
}

function isRefusal({ error }: RpcReply, code: string): boolean {
  return error?.code === INVALID_PARAMS && error.data?.['code'] === code;
}

/** A caller without credentials may give itself any name. */
function namedAs(caller: string | undefined): Environment {
  return caller === undefined ? {} : { 'x-instance-id': caller };
}
