import type { HttpReply, RpcReply } from '../support/service';
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

/** Calls replicas, and records the answers that no client must ever get. */
export class Client {
  readonly unexpected: string[] = [];

  async rpc(replica: Replica, method: string, params: object, caller?: string): Promise<Answer<RpcReply>> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const headers = { 'content-type': 'application/json', ...namedAs(caller) };
    const { reply, at } = await this.fetch(replica, '/rpc', { method: 'POST', body, headers });
    return { reply: reply && (JSON.parse(reply.text) as RpcReply), at };
  }

  deleteByRest(replica: Replica, taskId: string, caller: string): Promise<Answer<HttpReply>> {
    return this.fetch(replica, `/v1/tasks/${taskId}`, { method: 'DELETE', headers: namedAs(caller) });
  }

  /** Errors other than those of an outage are unexpected. */
  expectOutage(reply: RpcReply): void {
    const { code } = reply.error ?? {};
    if (code !== UNAVAILABLE && code !== STORE_FAILED) this.unexpected.push(JSON.stringify(reply));
  }

  private async fetch(replica: Replica, path: string, init: RequestInit): Promise<Answer<HttpReply>> {
    const { service } = replica;
    const startedAtMs = performance.now();
    const reply = await service
      .fetch(path, { ...init, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })
      .catch((error) => {
        if (!replica.hasKilled(service)) this.unexpected.push(`no answer from a living replica: ${String(error)}`);
        return undefined;
      });
    return { reply, at: { replica: `${replica.name}#${service.pid}`, startedAtMs, endedAtMs: performance.now() } };
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
function namedAs(caller: string | undefined): Record<string, string> {
  return caller === undefined ? {} : { 'x-instance-id': caller };
}
