import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../simulation/random';
import type { RpcReply } from '../support/service';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';
import { Client, isAttachmentMissing, isTaskMissing } from './client';
import type { Attempt, Call, Read, Ref, TaskAttempt, TaskSighting } from './history';
import { PassingTasks } from './passing-tasks';
import type { Replica } from './replica-group';

/** Each replica has its own clients: one that does not answer must not keep the others idle. */
const CLIENTS_PER_REPLICA = 4;
/** After each call, a random pause of up to this: the servers have the machine to themselves most of the time. */
const MAX_PAUSE_MS = 100;
const MAX_PAGE = 100;
/** Of the calls for attachments, the share that is for tasks which come and go. */
const PASSING_SHARE = 0.25;
/** At one time. */
const MAX_PASSING = 3;
export const PASSING_KEYS = ['key-a', 'key-b', 'key-c'];

/** Clients that write and read a few keys through all replicas at once, and record every call and answer. */
export class Workload {
  readonly attempts: Attempt[] = [];
  readonly reads: Read[] = [];
  readonly taskAttempts: TaskAttempt[] = [];
  readonly sightings: TaskSighting[] = [];
  private readonly passing: PassingTasks;
  private clients: Promise<unknown> = Promise.resolve();
  private isStopped = false;
  private calls = 0;

  /** The tasks of `refs` stay. */
  constructor(
    name: string,
    private readonly replicas: readonly Replica[],
    private readonly refs: readonly Ref[],
    private readonly random: Random,
    private readonly client = new Client(),
  ) {
    this.passing = new PassingTasks(name);
  }

  /** Creates what is there from the beginning. To be called while all is well. */
  async prepare(): Promise<void> {
    const replica = this.replicas[0] as Replica;
    for (const id of new Set(this.refs.map(({ taskId }) => taskId))) await this.createTask(replica, id);
    for (let i = 0; i < MAX_PASSING; i++) await this.createTasks(replica);
    const failed = this.taskAttempts.filter(({ outcome }) => outcome === 'unknown');
    if (failed.length > 0) throw new Error(`could not create ${failed.map(({ taskId }) => taskId).join()}`);
  }

  start(): void {
    const clients = Array.from({ length: CLIENTS_PER_REPLICA }, () => this.replicas).flat();
    this.clients = Promise.all(clients.map((replica) => this.keepCalling(replica)));
  }

  /** Resolves when every call has ended. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.clients;
  }

  /** The number of answers so far. */
  get answers(): number {
    return this.attempts.length + this.reads.length;
  }

  /** Answers that no client must ever get. */
  get unexpected(): readonly string[] {
    return this.client.unexpected;
  }

  /** Of all tasks that exist, existed, or may have existed, in the order of lists. */
  get taskIds(): readonly string[] {
    return [...new Set(this.taskAttempts.map(({ taskId }) => taskId))].sort();
  }

  private async keepCalling(replica: Replica): Promise<void> {
    while (!this.isStopped) {
      if (replica.takesCalls) await this.call(replica);
      await sleep(this.random.next() * MAX_PAUSE_MS);
    }
  }

  private call(replica: Replica): Promise<void> {
    const ref = this.pickRef();
    const dice = this.random.next();
    if (dice < 0.4) return this.get(replica, ref);
    if (dice < 0.5) return this.list(replica, ref.taskId);
    if (dice < 0.84) return this.put(replica, ref);
    if (dice < 0.97) return this.delete(replica, ref);
    if (dice < 0.985) return this.createTasks(replica);
    return this.deleteTasks(replica);
  }

  /** Some keys are used all the time, and others so seldom that what a fault has left of them stays. */
  private pickRef(): Ref {
    const taskId = this.random.next() < PASSING_SHARE ? this.passing.pick(this.random) : undefined;
    const refs = taskId === undefined ? this.refs : PASSING_KEYS.map((key) => ({ taskId, key }));
    return refs[Math.floor(this.random.next() ** 2 * refs.length)] as Ref;
  }

  private async get(replica: Replica, ref: Ref): Promise<void> {
    const { reply, at } = await this.client.rpc(replica, 'task.get_attachment', { ...ref });
    if (!reply || this.isOfMissingTask(reply, ref, at)) return;
    const attachment = reply.result as WireAttachment | undefined;
    if (!attachment && !isAttachmentMissing(reply)) return this.client.expectOutage(reply);
    this.noteRead({ ...ref, ...at, byName: true, found: attachment && foundIn(attachment) });
  }

  private async list(replica: Replica, taskId: string): Promise<void> {
    const { reply, at } = await this.client.rpc(replica, 'task.list_attachments', { taskId, limit: MAX_PAGE });
    if (!reply || this.isOfMissingTask(reply, { taskId }, at)) return;
    const page = reply.result as WireAttachmentPage | undefined;
    if (!page) return this.client.expectOutage(reply);
    // The documented answer if no available store knows.
    if (page.degraded && page.totalCount === 0) return;
    for (const key of this.keysOf(taskId)) {
      const attachment = page.attachments.find((one) => one.key === key);
      this.noteRead({ taskId, key, ...at, byName: false, found: attachment && foundIn(attachment) });
    }
  }

  private async put(replica: Replica, ref: Ref): Promise<void> {
    const name = `put-${++this.calls}`;
    const { reply, at } = await this.client.rpc(replica, 'task.create_attachment', {
      ...ref,
      type: 'json',
      value: name,
    });
    const result = reply?.result as { version: number; degraded?: true } | undefined;
    if (reply?.error && !this.isOfMissingTask(reply, ref, at)) this.client.expectOutage(reply);
    this.noteAttempt({ ...ref, ...at, kind: 'put', name, ...outcomeOf(result), version: result?.version });
  }

  private async delete(replica: Replica, ref: Ref): Promise<void> {
    const name = `delete-${++this.calls}`;
    const { reply, at } = await this.client.rpc(replica, 'task.delete_attachment', { ...ref }, name);
    // Perhaps it is missing because the first attempt of this very deletion took effect.
    if (reply && isAttachmentMissing(reply)) this.noteRead({ ...ref, ...at, byName: true });
    else if (reply?.error && !this.isOfMissingTask(reply, ref, at)) this.client.expectOutage(reply);
    this.noteAttempt({ ...ref, ...at, kind: 'delete', name, ...outcomeOf(reply?.result) });
  }

  private async createTasks(replica: Replica): Promise<void> {
    if (this.passing.count >= MAX_PASSING) return;
    const [id, subTaskId] = this.passing.nextIds();
    const areThere = (await this.createTask(replica, id)) && (await this.createTask(replica, subTaskId, id));
    if (areThere) this.passing.hasBegun([id, subTaskId]);
  }

  private async createTask(replica: Replica, id: string, parentId?: string): Promise<boolean> {
    const name = `create-task-${++this.calls}`;
    const { reply, at } = await this.client.rpc(replica, 'task.create', { id, text: name, parentId });
    if (reply?.error) this.client.expectOutage(reply);
    const outcome = reply?.result ? 'acknowledged' : 'unknown';
    this.taskAttempts.push({ ...at, taskId: id, kind: 'create', name, outcome });
    return outcome === 'acknowledged';
  }

  /** A deletion of unknown outcome is tried again by the next client that deletes. */
  private async deleteTasks(replica: Replica): Promise<void> {
    const pair = this.passing.oldest;
    if (!pair) return;
    const name = `delete-task-${++this.calls}`;
    const { outcome, at } = await this.deleteTask(replica, pair[0], name);
    if (outcome === 'missing') this.see({ taskId: pair[0] }, at, 'missing');
    else this.taskAttempts.push(...pair.map((taskId) => ({ ...at, taskId, kind: 'delete' as const, name, outcome })));
    if (outcome !== 'unknown') this.passing.hasEnded(pair);
  }

  private async deleteTask(replica: Replica, id: string, name: string) {
    if (this.random.next() < 0.5) {
      const { reply, at } = await this.client.deleteByRest(replica, id, name);
      const outcome = reply?.status === 204 ? 'acknowledged' : reply?.status === 404 ? 'missing' : 'unknown';
      if (reply && outcome === 'unknown' && reply.status !== 503)
        this.client.unexpected.push(`DELETE: ${reply.status}`);
      return { outcome, at } as const;
    }
    const { reply, at } = await this.client.rpc(replica, 'task.delete', { id }, name);
    if (reply && isTaskMissing(reply)) return { outcome: 'missing', at } as const;
    if (reply?.error) this.client.expectOutage(reply);
    return { outcome: reply?.result ? 'acknowledged' : 'unknown', at } as const;
  }

  private keysOf(taskId: string): readonly string[] {
    const refs = this.refs.filter((ref) => ref.taskId === taskId);
    return refs.length > 0 ? refs.map(({ key }) => key) : PASSING_KEYS;
  }

  private isOfMissingTask(reply: RpcReply, { taskId }: Pick<Ref, 'taskId'>, at: Call): boolean {
    if (!isTaskMissing(reply)) return false;
    this.see({ taskId }, at, 'missing');
    return true;
  }

  private noteRead(read: Read): void {
    this.reads.push(read);
    this.see(read, read, 'there');
  }

  private noteAttempt(attempt: Attempt): void {
    this.attempts.push(attempt);
    // The journal need not know of the deletion of the task.
    if (attempt.outcome === 'acknowledged' && !attempt.journaled) this.see(attempt, attempt, 'changed');
  }

  private see({ taskId }: Pick<Ref, 'taskId'>, at: Call, seen: TaskSighting['seen']): void {
    const { replica, startedAtMs, endedAtMs } = at;
    this.sightings.push({ taskId, replica, startedAtMs, endedAtMs, seen });
  }
}

function outcomeOf(result: { degraded?: unknown } | undefined): Pick<Attempt, 'outcome' | 'journaled'> {
  return { outcome: result ? 'acknowledged' : 'unknown', journaled: result?.degraded === true };
}

function foundIn({ version, value }: WireAttachment) {
  return { version, name: value as string };
}
