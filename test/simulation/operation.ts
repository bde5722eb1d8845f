import type { Attachment } from '../../src/core/domain/attachment';
import { JsonText } from '../../src/core/domain/json-text';
import type { WriteCondition } from '../../src/core/ports/attachment-store';
import type { AttachmentPage } from '../../src/core/consistency/attachment-page';
import type { CallWitness, FinishedCall } from './connection';
import type { History } from './history';
import type { PlannedOperation } from './plan';
import type { Replica } from './replica';

export interface PutAnswer {
  readonly kind: 'put';
  readonly attachment: Attachment;
  readonly replaced: boolean;
  readonly degraded?: boolean;
}

/** What an operation has answered, as far as it tells of attachments. */
export type Answer =
  | PutAnswer
  | { readonly kind: 'deleted'; readonly degraded?: boolean }
  | {
      readonly kind: 'attachments';
      readonly found: readonly (Attachment | null)[];
      readonly keys: readonly string[];
      readonly degraded?: boolean;
    }
  | { readonly kind: 'page'; readonly page: AttachmentPage }
  | { readonly kind: 'task-created' }
  | { readonly kind: 'task-completed' }
  | { readonly kind: 'task-deleted' };

/** One operation under way: whose it is, since when, and what came of its calls. */
export class Operation implements CallWitness {
  readonly startedAtMs: number;
  readonly startClockMs: number;
  /** Position in the outbox below which the replica had to know every change when the operation began. */
  readonly knownBelow: number;
  /** Those of which the database has told what it holds. */
  private readonly keysOfStore = new Set<string>();
  private readonly outcomes = new Map<string, { answered: number; failed: number }>();
  failures = 0;
  /** Whether the journal could not judge what it was given. */
  journalWasUnsure = false;
  /** Whether one of its attempts was told of something newer. */
  wasOvertaken = false;
  slowestCallMs = 0;
  condition: WriteCondition;

  constructor(
    readonly planned: PlannedOperation,
    readonly replica: Replica,
    private readonly history: History,
  ) {
    this.startedAtMs = history.nowMs;
    this.startClockMs = replica.clock.nowMs();
    this.knownBelow = replica.turns.knownBelow;
  }

  get name(): string {
    return `op${this.planned.id}`;
  }

  answered({ server, method, tookMs }: FinishedCall, reply: unknown): void {
    this.count(server, method, tookMs).answered += 1;
    if (server === 'postgres' && method.startsWith('find ')) {
      for (const key of method.slice(5).split(',')) this.keysOfStore.add(key);
    }
    const { state, newer } = (reply ?? {}) as { state?: string; newer?: number };
    if (state === 'unknown') this.journalWasUnsure = true;
    if (state === 'superseded' || newer !== undefined) this.wasOvertaken = true;
  }

  failed({ server, method, tookMs }: FinishedCall): void {
    this.count(server, method, tookMs).failed += 1;
    this.failures += 1;
  }

  /** Whether the database has told what it holds, and the answer is made of that. */
  storeHasAnswered(key: string): boolean {
    if (this.planned.kind !== 'list') return this.keysOfStore.has(key);
    return this.allAnswered(STORE_LISTS) && !this.storeHasFailed;
  }

  /** Whether bodies of a list, found elsewhere, may be of another moment than the list. */
  get hasReadByKey(): boolean {
    return this.planned.kind === 'list' && this.outcomes.has('redis read');
  }

  get storeHasFailed(): boolean {
    return [...this.outcomes].some(([call, { failed }]) => failed > 0 && call.startsWith('postgres'));
  }

  /** Whether the database was asked for what the answer is made of, and did not tell. */
  get storeReadHasFailed(): boolean {
    return this.hasFailed(this.planned.kind === 'list' ? STORE_LISTS : ['postgres find']);
  }

  get cacheHasAnswered(): boolean {
    return this.allAnswered(CACHE_READS);
  }

  /** Whether Redis has taken every change that it was told of. */
  get cacheWasTold(): boolean {
    return this.allAnswered(['redis apply']);
  }

  get cacheReadHasFailed(): boolean {
    return this.hasFailed(['redis read']);
  }

  get journalHasFailed(): boolean {
    return this.hasFailed(['redis append']);
  }

  /** Throws what the use case throws. */
  async execute(): Promise<Answer> {
    const { planned, replica } = this;
    const { taskId, key, organization } = planned;
    const cases = replica.useCases(this);
    const caller = { organization, name: this.name };
    switch (planned.kind) {
      case 'create':
      case 'create-if-absent':
      case 'create-if-version': {
        const { ttlSeconds } = planned;
        const draft = { taskId, key, type: 'text' as const, content: this.name, ttlSeconds };
        this.condition = this.chooseCondition();
        const command = { ...draft, condition: this.condition };
        const { attachment, replaced, degraded } = await cases.createAttachment.execute(command, caller);
        return { kind: 'put', attachment, replaced, degraded };
      }
      case 'delete':
      case 'delete-if-version': {
        this.condition = this.chooseCondition();
        const command = { taskId, key, ...this.condition };
        const { degraded } = await cases.deleteAttachment.execute(command, caller);
        return { kind: 'deleted', degraded };
      }
      case 'get': {
        const { attachment, degraded } = await cases.getAttachment.execute({ taskId, key }, caller);
        return { kind: 'attachments', found: [attachment], keys: [key], degraded };
      }
      case 'batch': {
        const keys = [...new Set([key, 'a', 'b'])];
        const requests = keys.map((one) => ({ taskId, key: one }));
        const batch = await cases.getAttachmentsBatch.execute({ requests, allowMissing: true }, caller);
        return { kind: 'attachments', found: batch.attachments, keys, degraded: batch.degraded };
      }
      case 'list': {
        const page = await cases.listAttachments.execute({ taskId, ...WHOLE, ...planned.page }, caller);
        return { kind: 'page', page };
      }
      case 'create-task': {
        const metadata = JsonText.of(planned.id % 2 === 0 ? { data: { [key]: this.name } } : {});
        const { parentId } = planned;
        await cases.createTask.execute({ id: taskId, text: this.name, parentId, metadata }, caller);
        return { kind: 'task-created' };
      }
      case 'complete-task': {
        await cases.completeTask.execute({ taskId, result: JsonText.of(this.name) }, caller);
        return { kind: 'task-completed' };
      }
      case 'delete-task': {
        await cases.deleteTask.execute(taskId, caller);
        return { kind: 'task-deleted' };
      }
    }
  }

  /** As a client would make it that has seen what was acknowledged last. */
  private chooseCondition(): WriteCondition {
    const { kind } = this.planned;
    if (kind === 'create-if-absent') return { ifAbsent: true };
    if (kind === 'create' || kind === 'delete') return undefined;
    const seen = [...this.history.changesOf(this.planned)].filter(({ acknowledged }) => acknowledged);
    return { ifVersion: Math.max(2, ...seen.map(({ version }) => version)) };
  }

  private count(server: string, method: string, tookMs: number): { answered: number; failed: number } {
    this.slowestCallMs = Math.max(this.slowestCallMs, tookMs);
    const [verb] = method.split(' ');
    const call = `${server} ${verb}`;
    const outcome = this.outcomes.get(call) ?? { answered: 0, failed: 0 };
    this.outcomes.set(call, outcome);
    return outcome;
  }

  private hasFailed(calls: readonly string[]): boolean {
    return calls.some((call) => (this.outcomes.get(call)?.failed ?? 0) > 0);
  }

  private allAnswered(calls: readonly string[]): boolean {
    const outcomes = calls.flatMap((call) => this.outcomes.get(call) ?? []);
    return outcomes.some(({ answered }) => answered > 0) && outcomes.every(({ failed }) => failed === 0);
  }
}

const WHOLE = { limit: 50, offset: 0, includeBodies: true, descending: false, keyPrefix: '' };
const STORE_LISTS = ['postgres list', 'postgres outlines'];
const CACHE_READS = ['redis read', 'redis readPage'];
