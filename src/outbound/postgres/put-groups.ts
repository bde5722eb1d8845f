import { refName } from '../../core/domain/attachment';
import { lateTimer } from '../system/late-timer';
import type { PutOutcome } from '../../core/ports/attachment-store';
import { StoreError } from '../../core/ports/store-error';
import { PutGroup, WaitingPut, type GroupTimer, type PlainPut } from './put-group';
import { RecentMost } from './recent-most';

/**
 * If more than `few` puts have been there at the same time lately, they wait while so many statements are under way,
 * and otherwise for the others of the same iteration of the event loop. The fewer statements there are, the more puts
 * share one, and the cheaper is each of them. Few puts do not wait: if the disk is slow, that would only take time.
 */
const LIMITS = { few: 8, statements: 2 };
/** Writers that have their outcomes at the same time need a while before they write again. */
const LATELY_MS = 100;
/** Of a body. Passing on a larger one costs more than sharing saves. */
const MAX_SHARED_BYTES = 16 * 1024;
/** How long puts wait for the statements under way, which may be waiting for locks. */
const MAX_TURN_MS = 5;
/** So many outcomes are told in one iteration of the event loop: each leads to a command for Redis, and to a reply. */
const TOLD_AT_ONCE = 16;
/** For a statement that waits: more than the server lets it wait for a lock. */
const WAITING_STATEMENT_MS = 2000;

/** Another transaction holds the task or the key, or the put has to be written alone. Nothing is written. */
export type GroupedOutcome =
  PutOutcome | { readonly state: 'task-held' } | { readonly state: 'key-held' } | { readonly state: 'left-out' };

/** How the store is asked. All of it throws `StoreError`. */
export interface PutStatements {
  /** May wait for locks, in a session of the organisation. */
  alone(put: PlainPut, timeoutMs: number): Promise<PutOutcome>;
  /**
   * In one transaction, with the outcomes in the order of the puts. Those of one key are in the order of their
   * versions, and only the last may expire. Waits for no lock, in a session of no organisation; unless `waits`, and
   * then for what they all need: they are of one task, and perhaps of one key.
   */
  together(puts: readonly PlainPut[], timeoutMs: number, waits: boolean): Promise<readonly GroupedOutcome[]>;
  /** For a put that no statement has begun with. */
  waitedInVain(sinceMs: number): StoreError;
}

const TIMER: GroupTimer = {
  nowMs: () => performance.now(),
  after: lateTimer,
  next: (run) => void setImmediate(run),
};

/**
 * Puts that come while many others are under way share one transaction: whatever waits when a statement may begin. As
 * long as there are few, each has a statement of its own. Organisations take turns in what is written next. Each put
 * has its own outcome and its own time limit; no put waits for a lock that only another one needs.
 */
export class PutGroups {
  /** By organisation, the next one to be written first. */
  private readonly waiting = new Map<string, WaitingPut[]>();
  /** By task or key that another transaction holds. All puts that need it wait for it in one statement. */
  private readonly whileHeld = new Map<string, WaitingPut[]>();
  private readonly underWay = { statements: 0, puts: 0 };
  private waitingPuts = 0;
  private readonly atOnce: RecentMost;
  private stopWatching?: () => void;

  constructor(
    private readonly statements: PutStatements,
    private readonly timer: GroupTimer = TIMER,
    private readonly limits = LIMITS,
  ) {
    this.atOnce = new RecentMost(LATELY_MS, () => timer.nowMs());
  }

  /** Throws `StoreError`, within `timeoutMs`. If the statement of a group fails, its puts throw the same error. */
  write(put: PlainPut, timeoutMs: number): Promise<PutOutcome> {
    if ((put.put.attachment.bytes ?? 0) > MAX_SHARED_BYTES) return this.statements.alone(put, timeoutMs);
    this.atOnce.note(this.underWay.puts + this.waitingPuts + 1);
    const isFirst = this.waiting.size === 0;
    if (isFirst && this.areFew) return this.inTurn(1, () => this.statements.alone(put, timeoutMs));
    const one = new WaitingPut(put, timeoutMs, this.timer, (sinceMs) => this.statements.waitedInVain(sinceMs));
    append(this.waiting, put.organization, [one]);
    this.waitingPuts += 1;
    if (isFirst && this.mayWrite) this.timer.next(() => this.writeWaiting());
    else if (!this.stopWatching) this.watch();
    return one.outcome;
  }

  private get areFew(): boolean {
    return this.atOnce.value <= this.limits.few;
  }

  private get mayWrite(): boolean {
    return this.underWay.statements < this.limits.statements || this.areFew;
  }

  private async inTurn<T>(puts: number, work: () => Promise<T>): Promise<T> {
    const { underWay } = this;
    underWay.statements += 1;
    underWay.puts += puts;
    try {
      return await work();
    } finally {
      underWay.statements -= 1;
      underWay.puts -= puts;
      this.writeWaiting();
    }
  }

  private writeWaiting(): void {
    while (this.waiting.size > 0 && this.mayWrite) this.writeNext(false);
    this.watch();
  }

  /** Whatever holds up the statements under way does not hold up the others. */
  private watch(): void {
    this.stopWatching?.();
    this.stopWatching = undefined;
    if (this.waiting.size === 0) return;
    this.stopWatching = this.timer.after(MAX_TURN_MS, () => {
      this.writeNext(true);
      this.watch();
    });
  }

  private writeNext(isExtra: boolean): void {
    const group = this.nextGroup();
    const [first] = group;
    if (!first) return;
    const isAlone = group.length === 1 && !isExtra;
    void this.inTurn(group.length, () => (isAlone ? this.writeAlone(first) : this.writeTogether(group)));
  }

  /** One of each organisation in turn. */
  private nextGroup(): WaitingPut[] {
    const group = new PutGroup();
    const passedOver = new Map<string, WaitingPut[]>();
    for (const [owner, puts] of this.waiting) {
      if (group.isFull) break;
      const one = puts.shift() as WaitingPut;
      this.waitingPuts -= 1;
      // Behind the others: the loop comes to it again.
      this.waiting.delete(owner);
      if (puts.length > 0) this.waiting.set(owner, puts);
      if (!group.takes(one)) append(passedOver, owner, [one]);
    }
    for (const [owner, puts] of passedOver) {
      this.waiting.set(owner, [...puts, ...(this.waiting.get(owner) ?? [])]);
      this.waitingPuts += puts.length;
    }
    return group.puts;
  }

  /** Never rejects. */
  private async writeAlone(one: WaitingPut): Promise<void> {
    // Its caller has stopped waiting: what was not begun must not take effect.
    if (one.isOver) return;
    one.leaveTimeTo();
    await this.statements.alone(one.put, one.leftMs).then(one.resolve, one.reject);
  }

  /** Never rejects. */
  private async writeTogether(group: readonly WaitingPut[], waits = false): Promise<void> {
    let timeout: StoreError | undefined;
    // To be late for a lock says nothing about the server.
    const late = (sinceMs: number) =>
      waits ? this.statements.waitedInVain(sinceMs) : (timeout ??= new StoreError('postgres', 'timeout'));
    for (const one of group) one.leaveTimeTo(late);
    const timeoutMs = Math.max(waits ? WAITING_STATEMENT_MS : 0, ...group.map(({ leftMs }) => leftMs));
    try {
      const puts = group.map(({ put }) => put);
      this.settle(group, await this.statements.together(puts, timeoutMs, waits));
    } catch (error) {
      // What the store does not take may be one of them: then the others are written.
      const mayBeOne = error instanceof StoreError && ['refused', 'failed'].includes(error.outcome);
      for (const one of group) {
        if (mayBeOne) void this.writeAlone(one);
        else one.reject(timeout ?? error);
      }
    }
  }

  private settle(group: readonly WaitingPut[], outcomes: readonly GroupedOutcome[]): void {
    const held = new Map<string, WaitingPut[]>();
    const written: (() => void)[] = [];
    group.forEach((one, i) => {
      const outcome = outcomes[i] as GroupedOutcome;
      if (outcome.state === 'left-out') void this.writeAlone(one);
      else if (outcome.state === 'task-held') append(held, one.put.put.attachment.taskId, [one]);
      else if (outcome.state === 'key-held') append(held, refName(one.put.put.attachment), [one]);
      else written.push(() => one.resolve(outcome));
    });
    this.tell(written);
    for (const [name, puts] of held) this.writeWhenFree(name, puts);
  }

  /** Whoever waits for the event loop is served in between. */
  private tell(written: readonly (() => void)[]): void {
    for (const tell of written.slice(0, TOLD_AT_ONCE)) tell();
    const others = written.slice(TOLD_AT_ONCE);
    if (others.length > 0) this.timer.next(() => this.tell(others));
  }

  /** All of them would wait for the same. Those that come meanwhile come next. */
  private writeWhenFree(name: string, puts: readonly WaitingPut[]): void {
    for (const one of puts) one.leaveTimeTo((sinceMs) => this.statements.waitedInVain(sinceMs));
    const isUnderWay = this.whileHeld.has(name);
    append(this.whileHeld, name, puts);
    if (!isUnderWay) void this.writeHeld(name);
  }

  private async writeHeld(name: string): Promise<void> {
    for (let puts = this.whileHeld.get(name) ?? []; puts.length > 0; puts = this.whileHeld.get(name) ?? []) {
      const group = new PutGroup();
      this.whileHeld.set(
        name,
        puts.filter((one) => group.isFull || !group.takes(one)),
      );
      const [first] = group.puts;
      if (!first) continue;
      await (group.puts.length === 1 ? this.writeAlone(first) : this.writeTogether(group.puts, true));
    }
    this.whileHeld.delete(name);
  }
}

function append<T>(lists: Map<string, T[]>, name: string, more: readonly T[]): void {
  const list = lists.get(name);
  if (list) list.push(...more);
  else lists.set(name, [...more]);
}
