import { setTimeout as sleep } from 'node:timers/promises';
import type { RpcReply, Service } from '../support/service';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';
import type { Attempt, Read, Ref } from './history';
import type { Replica } from './replica-group';
import type { SeededRandom } from './seeded-random';

/** Each of its own: one that does not answer must not keep the others idle. */
const CLIENTS_PER_REPLICA = 4;
/** After each call, by chance up to this long: the servers have the machine for themselves most of the time. */
const MAX_PAUSE_MS = 100;
/** Far longer than a call may take: only one that is never answered is given up. */
const ANSWER_TIMEOUT_MS = 20_000;
const MAX_PAGE = 100;

const UNAVAILABLE = -32001;
const STORE_FAILED = -32500;
const INVALID_PARAMS = -32602;

/** Clients that write and read a few keys through all replicas at once, and remember what they did and were told. */
export class Workload {
  readonly attempts: Attempt[] = [];
  readonly reads: Read[] = [];
  /** Answers that no client must ever get. */
  readonly unexpected: string[] = [];
  private clients: Promise<unknown> = Promise.resolve();
  private isStopped = false;
  private calls = 0;

  constructor(
    private readonly replicas: readonly Replica[],
    private readonly refs: readonly Ref[],
    private readonly random: SeededRandom,
  ) {}

  start(): void {
    const clients = Array.from({ length: CLIENTS_PER_REPLICA }, () => this.replicas).flat();
    this.clients = Promise.all(clients.map((replica) => this.client(replica)));
  }

  /** Resolves when every call has been answered. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.clients;
  }

  /** How often clients have been answered. */
  get answers(): number {
    return this.attempts.length + this.reads.length;
  }

  async get(replica: Replica, ref: Ref): Promise<void> {
    const asked = await this.ask(replica, 'task.get_attachment', { taskId: ref.taskId, key: ref.key });
    if (!asked) return;
    const { reply, at } = asked;
    const attachment = reply.result as WireAttachment | undefined;
    if (attachment) this.reads.push({ ...ref, ...at, byName: true, found: foundIn(attachment) });
    else if (isAttachmentMissing(reply)) this.reads.push({ ...ref, ...at, byName: true });
    else this.expectOutage(reply);
  }

  async list(replica: Replica, taskId: string): Promise<void> {
    const asked = await this.ask(replica, 'task.list_attachments', { taskId, limit: MAX_PAGE });
    if (!asked) return;
    const { reply, at } = asked;
    const page = reply.result as WireAttachmentPage | undefined;
    if (!page) return this.expectOutage(reply);
    // That is the answer where nobody knows.
    if (page.degraded && page.totalCount === 0) return;
    for (const ref of this.refs.filter((one) => one.taskId === taskId)) {
      const attachment = page.attachments.find(({ key }) => key === ref.key);
      this.reads.push({ ...ref, ...at, byName: false, found: attachment && foundIn(attachment) });
    }
  }

  private async client(replica: Replica): Promise<void> {
    while (!this.isStopped) {
      await this.call(replica);
      await sleep(this.random.next() * MAX_PAUSE_MS);
    }
  }

  private call(replica: Replica): Promise<void> {
    const ref = this.pickRef();
    const dice = this.random.next();
    if (dice < 0.4) return this.get(replica, ref);
    if (dice < 0.5) return this.list(replica, ref.taskId);
    if (dice < 0.87) return this.put(replica, ref);
    return this.delete(replica, ref);
  }

  /** Some keys are met all the time, and others so seldom that what a fault leaves of them stays. */
  private pickRef(): Ref {
    return this.refs[Math.floor(this.random.next() ** 2 * this.refs.length)] as Ref;
  }

  private async put(replica: Replica, ref: Ref): Promise<void> {
    const name = `put-${++this.calls}`;
    const params = { taskId: ref.taskId, key: ref.key, type: 'json', value: name };
    const { reply, at } = await this.attempt(replica, 'task.create_attachment', params);
    const result = reply?.result as { version: number; degraded?: true } | undefined;
    if (reply?.error) this.expectOutage(reply);
    const outcome = result ? 'acknowledged' : 'unknown';
    const journaled = result?.degraded === true;
    this.attempts.push({ ...ref, ...at, kind: 'put', name, outcome, version: result?.version, journaled });
  }

  private async delete(replica: Replica, ref: Ref): Promise<void> {
    const name = `delete-${++this.calls}`;
    const params = { taskId: ref.taskId, key: ref.key };
    const { reply, at } = await this.attempt(replica, 'task.delete_attachment', params, { 'x-instance-id': name });
    const result = reply?.result as { degraded?: true } | undefined;
    // Not there: perhaps only since this very deletion, at its first attempt, has made it so.
    if (reply && isAttachmentMissing(reply)) this.reads.push({ ...ref, ...at, byName: true });
    else if (reply?.error) this.expectOutage(reply);
    const outcome = result ? 'acknowledged' : 'unknown';
    this.attempts.push({ ...ref, ...at, kind: 'delete', name, outcome, journaled: result?.degraded === true });
  }

  /** Undefined where nobody answered. */
  private async ask(replica: Replica, method: string, params: object) {
    const { reply, at } = await this.attempt(replica, method, params);
    return reply && { reply, at };
  }

  private async attempt(replica: Replica, method: string, params: object, headers: Record<string, string> = {}) {
    const { service } = replica;
    const startedAtMs = performance.now();
    const reply = await this.answerOf(replica, service, method, params, headers);
    const endedAtMs = performance.now();
    return { reply, at: { replica: `${replica.name}#${service.pid}`, startedAtMs, endedAtMs } };
  }

  private async answerOf(
    replica: Replica,
    service: Service,
    method: string,
    params: object,
    headers: Record<string, string>,
  ): Promise<RpcReply | undefined> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    try {
      const { text } = await service.fetch('/rpc', {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      return JSON.parse(text) as RpcReply;
    } catch (error) {
      if (!replica.hasKilled(service)) this.unexpected.push(`no answer from a living replica: ${String(error)}`);
      return undefined;
    }
  }

  private expectOutage(reply: RpcReply): void {
    const { code } = reply.error ?? {};
    if (code !== UNAVAILABLE && code !== STORE_FAILED) this.unexpected.push(JSON.stringify(reply));
  }
}

function foundIn({ version, value }: WireAttachment) {
  return { version, name: value as string };
}

function isAttachmentMissing({ error }: RpcReply): boolean {
  return error?.code === INVALID_PARAMS && error.data?.['code'] === 'ATTACHMENT_NOT_FOUND';
}
