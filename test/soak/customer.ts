import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../faults/client';
import type { Replica } from '../faults/replica-group';
import type { Random } from '../simulation/random';
import type { RpcReply } from '../support/service';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';
import type { Credentials, Role } from './credentials';
import { wordOf } from './documented-errors';
import { callWithEvilIntent } from './hostile-calls';
import { digestOf, type ExpectedTask, type Ledger } from './ledger';
import type { NatsCaller } from './nats-caller';
import { someBody } from './values';
import { isFailure, type Witness } from './witness';

const MAX_PAUSE_MS = 120;
const RETRY_MS = 300;
const MAX_TASKS = 6;
const MAX_KEYS = 6;
const NATS_SHARE = 0.3;

export interface Surroundings {
  readonly replicas: readonly Replica[];
  readonly client: Client;
  readonly nats: NatsCaller;
  readonly credentials: Credentials;
  readonly ledger: Ledger;
  readonly witness: Witness;
}

/** Each action by its share of all. */
const ACTIONS = {
  createTask: 4,
  deleteTask: 2,
  update: 5,
  finish: 2,
  put: 20,
  putConditionally: 5,
  putForSeconds: 2,
  remove: 6,
  get: 25,
  list: 8,
  getSeveral: 8,
  listTasks: 4,
  usage: 1,
  batch: 4,
  intrude: 6,
};

/**
 * A caller of one organisation, with a key for each role, who uses all methods over HTTP and NATS. Nobody else writes to its
 * tasks, and it repeats each call until it knows the outcome: so it knows at any time what must be found.
 */
export class Customer {
  private readonly tasks: ExpectedTask[] = [];
  /** The task above, by the id of a sub-task. */
  private readonly parents = new Map<string, string>();
  private isStopped = false;
  private work: Promise<void> = Promise.resolve();
  private calls = 0;

  /** `foreignTask` is a task of another organisation. */
  constructor(
    private readonly name: string,
    private readonly organization: string,
    private readonly foreignTask: string,
    private readonly random: Random,
    private readonly around: Surroundings,
  ) {}

  start(): void {
    this.work = this.keepCalling();
  }

  /** Resolves when the outcome of every call is known. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.work;
  }

  private async keepCalling(): Promise<void> {
    while (!this.isStopped) {
      if (this.tasks.length === 0) await this.createTask();
      else await this[this.random.weighted(ACTIONS)]();
      await sleep(this.random.next() * MAX_PAUSE_MS);
    }
  }

  private async createTask(): Promise<void> {
    if (this.tasks.length >= MAX_TASKS) return this.deleteTask();
    const id = `${this.name}-${++this.calls}`;
    const priority = this.random.int(101);
    const parentId = this.random.chance(0.2) ? this.random.pick([undefined, ...this.tasks])?.id : undefined;
    const params = { id, text: `task ${id}`, priority, parentId, metadata: { by: this.name, n: this.calls } };
    const { result } = await this.insist('task.create', params, 'write');
    if (!result) return;
    this.tasks.push(this.around.ledger.add(this.organization, id, priority));
    if (parentId !== undefined) this.parents.set(id, parentId);
  }

  private async deleteTask(): Promise<void> {
    const [task] = this.tasks;
    if (!task) return;
    // Sub-tasks go with it.
    const isBelow = (id: string): boolean =>
      id === task.id || (this.parents.has(id) && isBelow(this.parents.get(id) as string));
    const gone = this.tasks.filter(({ id }) => isBelow(id));
    if (this.random.chance(0.5)) await this.deleteByRest(task.id);
    else await this.deleteByMethod(task.id);
    for (const one of gone) {
      one.isGone = true;
      this.tasks.splice(this.tasks.indexOf(one), 1);
    }
  }

  private async deleteByMethod(id: string): Promise<void> {
    const { result, wasUncertain } = await this.insist('task.delete', { id }, 'admin', ['TASK_NOT_FOUND']);
    if (!result && !wasUncertain) this.around.witness.note('a task that is there is not found', id);
  }

  private async deleteByRest(id: string): Promise<void> {
    for (;;) {
      const { reply } = await this.around.client.deleteByRest(this.pickReplica(), id, `${this.organization} admin`);
      if (reply && reply.status !== 503) {
        // 404: an attempt before has taken effect.
        if (![204, 404].includes(reply.status)) this.around.witness.note(`DELETE: status ${reply.status}`, reply.text);
        return;
      }
      await sleep(RETRY_MS);
    }
  }

  private async update(): Promise<void> {
    const task = this.pickTask();
    const priority = this.random.int(101);
    const status = task.status === 'pending' ? 'in_progress' : undefined;
    const updates = { priority, status, metadata: { updated: ++this.calls } };
    // The status of a finished task stays.
    await this.insist('task.update', { id: task.id, updates }, 'write');
    task.priority = priority;
    task.status = status ?? task.status;
  }

  private async finish(): Promise<void> {
    const task = this.pickTask();
    if (!['pending', 'in_progress'].includes(task.status)) return;
    const way = this.random.pick(['complete', 'fail', 'cancel'] as const);
    const params = { id: task.id, workerId: this.name };
    const value = { calls: ++this.calls, text: 'done' };
    if (way === 'cancel') await this.insist('task.cancel', { id: task.id }, 'write');
    else
      await this.insist(
        'task.complete',
        { ...params, ...(way === 'fail' ? { error: value } : { result: value }) },
        'write',
      );
    task.status = { complete: 'completed', fail: 'failed', cancel: 'cancelled' }[way];
    if (way === 'complete') task.attachments.set('result', digestOf({ type: 'json', value }));
  }

  private async put(): Promise<void> {
    const task = this.pickTask();
    const key = this.pickKey();
    const body = someBody(this.random);
    await this.insist('task.create_attachment', { taskId: task.id, key, ...body }, 'write');
    task.attachments.set(key, digestOf(body));
  }

  /** A repetition may find that the attempt before has taken effect. */
  private async putConditionally(): Promise<void> {
    const { witness } = this.around;
    const task = this.pickTask();
    const key = this.pickKey();
    const isThere = task.attachments.has(key);
    const wasCalm = witness.isCalm;
    const ifVersion = isThere ? await this.versionOf(task.id, key) : undefined;
    if (isThere && ifVersion === undefined) return;
    const body = someBody(this.random);
    const params = { taskId: task.id, key, ...body };
    const condition = isThere ? { ifVersion } : { ifAbsent: true };
    const allowed = ['VERSION_CONFLICT'];
    const { wasUncertain, word } = await this.insist(
      'task.create_attachment',
      { ...params, ...condition },
      'write',
      allowed,
    );
    if (word === 'VERSION_CONFLICT') {
      if (wasCalm && !wasUncertain && witness.isCalm)
        witness.note('a condition that holds is refused', `${task.id}/${key}`);
      await this.insist('task.create_attachment', params, 'write');
    }
    task.attachments.set(key, digestOf(body));
  }

  private async putForSeconds(): Promise<void> {
    const task = this.pickTask();
    const params = {
      taskId: task.id,
      key: `for seconds ${++this.calls}`,
      ttlSeconds: this.random.between(1, 3),
      ...someBody(this.random),
    };
    await this.insist('task.create_attachment', params, 'write');
  }

  private async remove(): Promise<void> {
    const task = this.pickTask();
    const key = this.pickKey();
    const { wasUncertain, result } = await this.insist('task.delete_attachment', { taskId: task.id, key }, 'write', [
      'ATTACHMENT_NOT_FOUND',
    ]);
    if (!result && !wasUncertain && task.attachments.has(key))
      this.around.witness.note('what is there is not found', `${task.id}/${key}`);
    task.attachments.delete(key);
  }

  private async get(): Promise<void> {
    const task = this.pickTask();
    const params = { taskId: task.id, key: this.pickKey() };
    const wasCalm = this.around.witness.isCalm;
    const reply = await this.ask('task.get_attachment', params, 'read', ['ATTACHMENT_NOT_FOUND']);
    if (wasCalm && reply?.result) this.compare(task, reply.result as unknown as WireAttachment);
  }

  private async list(): Promise<void> {
    const task = this.pickTask();
    const params = { taskId: task.id, limit: this.random.between(1, 20), order: this.random.pick(['asc', 'desc']) };
    const wasCalm = this.around.witness.isCalm;
    const reply = await this.ask('task.list_attachments', params, 'read');
    const { attachments = [] } = (reply?.result ?? {}) as Partial<WireAttachmentPage>;
    if (wasCalm) for (const attachment of attachments) this.compare(task, attachment);
    await this.ask('task.get', { id: task.id }, 'read');
  }

  private async getSeveral(): Promise<void> {
    const requests = this.tasks.map(({ id }) => ({ taskId: id, key: this.pickKey() }));
    await this.ask('task.get_attachments_batch', { requests, allowMissing: true }, 'read');
  }

  private async listTasks(): Promise<void> {
    const params = {
      limit: this.random.between(1, 10),
      orderBy: this.random.pick(['createdAt', 'priority']),
      status: ['pending', 'in_progress'],
    };
    await this.ask('task.list', params, 'read');
  }

  /** The callers of an organisation share a key: together they may be above its limit. */
  private async usage(): Promise<void> {
    await this.ask('task.usage', {}, 'read', ['RATE_LIMITED']);
  }

  private async batch(): Promise<void> {
    const taskIds = this.tasks.map(({ id }) => id);
    const calls = taskIds.flatMap((taskId, i) => [
      { jsonrpc: '2.0', method: 'task.get', params: { taskId }, id: `task ${i}` },
      { jsonrpc: '2.0', method: 'task.list_attachments', params: { taskId, includeBodies: false }, id: `list ${i}` },
    ]);
    await this.around.client.post(this.pickReplica(), JSON.stringify(calls), `${this.organization} read`);
  }

  private async intrude(): Promise<void> {
    const { client, credentials, witness } = this.around;
    const intrusion = { client, credentials, replica: this.pickReplica(), foreignTask: this.foreignTask };
    await callWithEvilIntent(intrusion, this.random, witness);
  }

  /** What the only writer reads is what it has written, unless an outage lets replicas be stale for a moment. */
  private compare(task: ExpectedTask, found: WireAttachment): void {
    if (!this.around.witness.isCalm) return;
    const expected = task.attachments.get(found.key);
    if (found.expiresAt === undefined && expected !== digestOf(found)) {
      const what = expected === undefined ? 'what was deleted is shown' : 'another value than the last one is shown';
      this.around.witness.note(what, `${task.id}/${found.key} ${found.version}`);
    }
  }

  private async versionOf(taskId: string, key: string): Promise<number | undefined> {
    const { result } = (await this.ask('task.get_attachment', { taskId, key }, 'read', ['ATTACHMENT_NOT_FOUND'])) ?? {};
    return result?.['version'] as number | undefined;
  }

  /** Repeats the call until its outcome is known. Notes a refusal that is not one of `words`. */
  private async insist(method: string, params: object, role: Role, words: readonly string[] = []) {
    for (let wasUncertain = false; ; wasUncertain = true) {
      const reply = await this.ask(method, params, role, words);
      const word = wordOf(reply?.error);
      if (reply && !isFailure(word)) return { result: reply.result, word, wasUncertain };
      await sleep(RETRY_MS);
    }
  }

  private async ask(
    method: string,
    params: object,
    role: Role,
    words: readonly string[] = [],
  ): Promise<RpcReply | undefined> {
    const reply = await this.send(method, params, role);
    const word = wordOf(reply?.error);
    if (reply?.error && !isFailure(word) && !words.includes(word ?? '')) {
      this.around.witness.note(`${method} of a customer is refused`, JSON.stringify(reply.error));
    }
    return reply;
  }

  private async send(method: string, params: object, role: Role): Promise<RpcReply | undefined> {
    const { client, nats, credentials } = this.around;
    if (this.random.chance(NATS_SHARE)) return nats.call(method, params, credentials.keyOf(this.organization, role));
    return (await client.rpc(this.pickReplica(), method, params, `${this.organization} ${role}`)).reply;
  }

  private pickReplica(): Replica {
    return this.random.pick(this.around.replicas.filter(({ takesCalls }) => takesCalls));
  }

  private pickTask(): ExpectedTask {
    return this.random.pick(this.tasks);
  }

  private pickKey(): string {
    return `key ${this.random.int(MAX_KEYS)}`;
  }
}
