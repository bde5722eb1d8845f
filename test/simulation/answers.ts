import { isLive, type Attachment, type AttachmentRef } from '../../src/core/domain/attachment';
import { DomainError, type Refusal } from '../../src/core/domain/domain-error';
import { OPERATION_TIMEOUT_MS, CACHE_TIMEOUT_MS } from '../../src/core/ports/time-limits';
import { StoreError } from '../../src/core/ports/store-error';
import type { AttachmentPage } from '../../src/core/consistency/attachment-page';
import type { Change, History, TaskHistory } from './history';
import type { Answer, Operation, PutAnswer } from './operation';
import type { Plan } from './plan';

/** A page of so many holds every attachment of a schedule's task. */
const WHOLE_PAGE = 50;
/** Many calls that are faster than this should have come to an end. */
const SLOW_MS = 300;
/**
 * What the database may take of an operation's time: a call of the cache may follow, and two if something is deleted.
 */
const STORE_TIME_MS = OPERATION_TIMEOUT_MS - CACHE_TIMEOUT_MS;
const DELETION_TIME_MS = STORE_TIME_MS - CACHE_TIMEOUT_MS;
/** What a replica may take to notice that an entry waits in the journal: a pause of the drain, and a silent look. */
const NOTICE_MS = 2500;

/** Judges every answer by what the replica that gave it had to know, and by what any replica could know. */
export class AnswerCheck {
  /** Two writes of which each store has seen one are ordered by clock: no better than this. */
  private readonly clockErrorMs: number;
  /** Whether the floor of what Redis has just begun to know is above all that was before. */
  private readonly clocksAgree: boolean;

  /** Whether Redis may lose what tells a late write that it comes too late. */
  private readonly redisForgets: boolean;

  constructor(
    private readonly history: History,
    private readonly plan: Plan,
  ) {
    const { faults, scenario } = plan;
    const isLossy = faults.some(
      (fault) => fault.kind === 'evict' || (fault.kind === 'redis' && fault.restart !== 'same'),
    );
    this.redisForgets = isLossy || scenario.cacheTtlMs !== undefined;
    this.clocksAgree = 2 * history.maxSkewMs + plan.clockStepMs <= plan.floorSkewMs;
    this.clockErrorMs = 2 * history.maxSkewMs + plan.floorSkewMs + plan.clockStepMs;
  }

  answered(operation: Operation, answer: Answer): void {
    if (!operation.isOfPresent) return this.answeredMeanwhile(operation, answer);
    if (!operation.wasOvertaken) this.history.writtenOnce.add(operation.name);
    switch (answer.kind) {
      case 'put':
        return this.acknowledgedPut(operation, answer);
      case 'deleted':
        return this.acknowledgedDeletion(operation, answer.degraded === true);
      case 'attachments':
        this.checkFlag(operation, answer.degraded);
        answer.keys.forEach((key, i) => this.found(operation, key, answer.found[i] ?? null, answer.degraded === true));
        return;
      case 'page':
        this.checkFlag(operation, answer.page.degraded);
        return this.page(operation, answer.page);
      case 'task-created':
      case 'task-completed':
        return this.acknowledgedWithTask(operation);
      case 'task-deleted':
        return this.acknowledgedTaskDeletion(operation);
    }
  }

  failed(operation: Operation, error: unknown): void {
    if (!operation.isOfPresent && (error instanceof DomainError || error instanceof StoreError)) return;
    if (error instanceof DomainError) return this.refused(operation, error.refusal);
    if (error instanceof StoreError) return this.unavailable(operation, error);
    const { stack } = error as Error;
    this.history.violate('errors', `${operation.name} fails with ${String(error)} ${stack ?? ''}`);
  }

  /** Only that must not be lost which the journal or the present database has. */
  private answeredMeanwhile({ name, planned }: Operation, answer: Answer): void {
    if (answer.kind !== 'put' && answer.kind !== 'deleted') return;
    for (const change of this.history.changesOf(planned)) {
      const isIts =
        answer.kind === 'put' ? change.op === answer.attachment.op : change.by === name && !change.attachment;
      const isThere = change.committedAtMs !== undefined || (answer.degraded && change.journaledAtMs !== undefined);
      if (isIts && isThere)
        change.acknowledged ??= { by: '', atMs: this.history.nowMs, degraded: answer.degraded === true };
    }
  }

  private acknowledgedPut(operation: Operation, { attachment, replaced, degraded = false }: PutAnswer): void {
    const standing = degraded ? undefined : this.journaledBefore(operation);
    if (standing && replaced !== (standing.attachment !== null)) {
      const text = `${operation.name} says replaced: ${replaced}, and ${standing.version} was in the journal`;
      return this.history.violate('register', text);
    }
    const change = this.history.change(operation.planned, attachment.op);
    if (!change || change.version !== attachment.version) {
      return this.history.violate(
        'G1',
        `${operation.name} is acknowledged as ${attachment.op}, which was never written`,
      );
    }
    if (operation.condition && !this.didHold(operation, change)) {
      return this.history.violate('conditions', `${operation.name} is acknowledged, and its condition did not hold`);
    }
    this.acknowledge(operation, change, degraded);
  }

  /** Only the database judges conditions, by what it had before, or by what the journal had if that was newer. */
  private didHold(operation: Operation, change: Change): boolean {
    const commits = this.history.commitsOf(change);
    const at = commits.indexOf(change);
    if (at < 0) return false;
    const before = commits[at - 1];
    const isBetween = ({ version }: Change) => version > (before?.version ?? 0) && version < change.version;
    const standing = this.journaledBefore(operation);
    if (standing && isBetween(standing)) return this.holds(operation, standing);
    const journaled = [...this.history.changesOf(change)].filter(
      (one) => one.journaledAtMs !== undefined && one.by !== operation.name && isBetween(one),
    );
    return [before, ...journaled].some((one) => this.holds(operation, one));
  }

  private holds({ condition }: Operation, standing: Change | undefined): boolean {
    if (!condition) return false;
    if ('ifVersion' in condition) return standing?.version === condition.ifVersion && standing.attachment !== null;
    return !standing || this.isGone(standing);
  }

  /**
   * The change that stood highest under the key when the operation began, and had come by the journal; undefined if
   * something may excuse a replica that does not judge by it.
   */
  private journaledBefore(operation: Operation): Change | undefined {
    const { planned, startedAtMs, name } = operation;
    if (operation.wasOvertaken || operation.cacheReadHasFailed) return undefined;
    const changes = [...this.history.changesOf(planned)].filter(({ by }) => by !== name);
    if (changes.some((one) => sinceMs(one) > startedAtMs)) return undefined;
    const [highest, next] = changes.toSorted((a, b) => b.version - a.version);
    if (!highest || highest.version === next?.version) return undefined;
    const { journaledAtMs = Infinity, keptAtMs, isLost, isRefused, supersededAtMs, attachment, acknowledged } = highest;
    const isOwn = acknowledged?.by === operation.replica.name && acknowledged.atMs <= startedAtMs;
    const isKept = keptAtMs !== undefined && !isLost && !isRefused && supersededAtMs === undefined;
    const mayExpire = attachment?.expiresAtMs !== undefined;
    return isKept && !mayExpire && journaledAtMs + (isOwn ? 0 : NOTICE_MS) <= startedAtMs ? highest : undefined;
  }

  private acknowledgedDeletion(operation: Operation, degraded: boolean): void {
    const own = [...this.history.changesOf(operation.planned)].filter(
      ({ attachment, by }) => !attachment && by === operation.name,
    );
    const last = own.reduce<Change | undefined>((a, b) => (a && a.version > b.version ? a : b), undefined);
    if (!last || (degraded && !this.hadSomething(last, operation))) {
      return this.history.violate('G1', `${operation.name} is acknowledged, and nothing was deleted`);
    }
    if (!degraded && this.journaledBefore(operation)?.attachment === null) {
      return this.history.violate('register', `${operation.name} deletes what a journaled deletion has deleted`);
    }
    if (operation.condition && !this.didHold(operation, last)) {
      return this.history.violate('conditions', `${operation.name} is acknowledged, and its condition did not hold`);
    }
    this.acknowledge(operation, last, degraded);
  }

  /** Whether there was an attachment to delete, for all that Redis had been told. */
  private hadSomething({ version, taskId, key }: Change, operation: Operation): boolean {
    const below = [...this.history.changesOf({ taskId, key })].filter((change) => change.version < version);
    const deleted = below.filter(
      ({ attachment, by, isLost, isRefused, keptAtMs = Infinity }) =>
        !attachment && !isLost && !isRefused && by !== operation.name && keptAtMs <= operation.startedAtMs,
    );
    const lastDeleted = Math.max(0, ...deleted.map((change) => change.version));
    // Of one version each, the deletion may be in PostgreSQL and the put in the journal.
    return below.some((change) => change.attachment && change.version >= lastDeleted);
  }

  private acknowledgedWithTask(operation: Operation): void {
    const text = JSON.stringify(operation.name);
    for (const change of this.history.allChanges()) {
      if (change.attachment?.value?.text === text)
        this.acknowledge(operation, change, change.committedAtMs === undefined);
    }
  }

  private acknowledgedTaskDeletion(operation: Operation): void {
    const task = this.history.tasks.get(operation.planned.taskId);
    if (task?.deletedAtMs === undefined) {
      return this.history.violate('G1', `${operation.name} is acknowledged, and the task is there`);
    }
    const acknowledged = { by: operation.replica.name, atMs: this.history.nowMs, degraded: false };
    task.acknowledged = acknowledged;
    for (const below of this.history.tasks.values()) {
      if (!below.ancestors.includes(task.taskId)) continue;
      if (below.deletedAtMs === undefined)
        return this.history.violate('G1', `${operation.name} is acknowledged, and ${below.taskId} below it is there`);
      if (this.isPartOf(below, operation)) below.acknowledged ??= acknowledged;
    }
  }

  /** Whether it was deleted as a part of the same tree, not before by a deletion of its own. */
  private isPartOf({ deletedBy }: TaskHistory, { planned }: Operation): boolean {
    return this.plan.operations.some(({ id, taskId }) => `op${id}` === deletedBy && taskId === planned.taskId);
  }

  private acknowledge(operation: Operation, change: Change, degraded: boolean): void {
    const { op, version } = change;
    const isThere = degraded ? change.journaledAtMs !== undefined : change.committedAtMs !== undefined;
    if (!isThere) {
      const where = degraded ? 'journaled' : 'committed';
      return this.history.violate('invariant 2', `${operation.name} is acknowledged, and ${op} is not ${where}`);
    }
    const older = [...this.history.changesOf(change)].find((earlier) =>
      this.mustBeBelow(earlier, operation, degraded, version),
    );
    // Of a task that is gone, no version stands above another.
    if (older && this.history.tasks.get(change.taskId)?.deletedAtMs === undefined) {
      const text = `${operation.name} is acknowledged as ${version}, below ${older.version}, which was before it`;
      return this.history.violate('G1', text);
    }
    change.acknowledged ??= { by: operation.replica.name, atMs: this.history.nowMs, degraded };
  }

  /** Whether `earlier` stands above a write that began when it had been acknowledged, and nothing excuses it. */
  private mustBeBelow(earlier: Change, operation: Operation, degraded: boolean, version: number): boolean {
    const { acknowledged, isLost, isRefused } = earlier;
    if (!acknowledged || isLost || isRefused || earlier.version <= version) return false;
    const sinceMs = operation.startedAtMs - acknowledged.atMs;
    if (sinceMs < 0 || this.isOvertaken(earlier)) return false;
    if (degraded) {
      // What Redis has lost, or was never told, it cannot be held against.
      const isKept = earlier.keptAtMs !== undefined && earlier.keptAtMs <= operation.startedAtMs;
      return acknowledged.degraded ? isKept : (isKept && this.clocksAgree) || sinceMs > this.clockErrorMs;
    }
    // One store saw the one, the other store the other: their order is that of the clocks.
    return !acknowledged.degraded || (operation.cacheWasTold && !this.redisForgets) || sinceMs > this.clockErrorMs;
  }

  /** Then the order of two older ones can no longer be told. */
  private isOvertaken(change: Change): boolean {
    return [...this.history.changesOf(change)].some(
      ({ version, committedAtMs }) => version > change.version && committedAtMs !== undefined,
    );
  }

  private refused(operation: Operation, refusal: Refusal): void {
    const { kind } = operation.planned;
    switch (refusal.kind) {
      case 'task-not-found':
        return this.taskNotFound(operation);
      case 'attachment-not-found':
        return this.found(
          operation,
          refusal.key,
          null,
          operation.storeHasFailed && !operation.storeHasAnswered(refusal.key),
          true,
        );
      case 'version-conflict':
        if (!operation.condition) return this.unexpected(operation, refusal);
        return this.conditionFailed(operation);
      case 'task-exists':
        if (kind !== 'create-task') this.unexpected(operation, refusal);
        return;
      case 'task-finished':
        if (kind !== 'complete-task') this.unexpected(operation, refusal);
        return;
      case 'invalid':
        this.unexpected(operation, refusal);
    }
  }

  private conditionFailed(operation: Operation): void {
    const standing = this.journaledBefore(operation);
    if (!standing || !this.holds(operation, standing)) return;
    const text = `${operation.name} is refused, and its condition holds for ${standing.version} of the journal`;
    this.history.violate('conditions', text);
  }

  private unexpected(operation: Operation, refusal: Refusal): void {
    this.history.violate(
      'errors',
      `${operation.name}, ${operation.planned.kind}, is refused: ${JSON.stringify(refusal)}`,
    );
  }

  private unavailable(operation: Operation, error: StoreError): void {
    const tookMs = this.history.nowMs - operation.startedAtMs;
    const { kind } = operation.planned;
    const isDeletion = kind === 'delete' || kind === 'delete-if-version';
    const storeTimeMs = isDeletion ? DELETION_TIME_MS : STORE_TIME_MS;
    const isLate = tookMs >= storeTimeMs && operation.slowestCallMs > SLOW_MS;
    if (operation.failures === 0 && !isLate) {
      return this.history.violate('availability', `${operation.name} fails (${error.message}) and nothing else did`);
    }
    const journalCouldHelp = kind === 'create' && tookMs < STORE_TIME_MS;
    if (journalCouldHelp && !operation.journalHasFailed && !operation.journalWasUnsure) {
      this.history.violate('availability', `${operation.name} fails (${error.message}) and the journal did not`);
    }
  }

  private taskNotFound(operation: Operation): void {
    const task = this.history.tasks.get(operation.planned.taskId);
    if (!task || task.createdAtMs > operation.startedAtMs || task.deletedAtMs !== undefined) return;
    // It is about to be deleted, too.
    if (task.ancestors.some((id) => this.history.tasks.get(id)?.deletedAtMs !== undefined)) return;
    if (task.organization === operation.planned.organization) {
      this.history.violate('G6', `${operation.name} finds no ${task.taskId}`);
    }
  }

  private page(operation: Operation, page: AttachmentPage): void {
    const { page: query } = operation.planned;
    if (page.degraded && page.totalCount === 0) return;
    for (const attachment of page.attachments) this.foundAttachment(operation, attachment, page.degraded === true);
    const listed = new Set(page.attachments.map(({ key }) => key));
    if (listed.size < page.attachments.length) this.history.violate('list', `${operation.name} has a key twice`);
    this.count(operation, page);
    if (query && (query.offset > 0 || query.limit < WHOLE_PAGE)) return;
    if (page.totalCount !== page.attachments.length && !operation.hasReadByKey) {
      this.history.violate('list', `${operation.name} counts ${page.totalCount} of ${page.attachments.length}`);
    }
    for (const ref of this.listable(operation)) {
      if (!listed.has(ref.key)) this.missing(operation, ref, page.degraded === true);
    }
  }

  /** Whatever part of a list is shown: it counts no fewer than must be there, and no more than may be. */
  private count(operation: Operation, { totalCount, ...page }: AttachmentPage): void {
    const degraded = page.degraded === true;
    const refs = this.listable(operation);
    const least = refs.filter((ref) => this.reasonToShow(operation, ref, degraded) !== undefined).length;
    const most = refs.filter((ref) => this.mayBeThere(operation, ref, degraded)).length;
    if (totalCount < least || totalCount > most) {
      this.history.violate('list', `${operation.name} counts ${totalCount}, which should be ${least} to ${most}`);
    }
  }

  private listable({ planned: { taskId, page } }: Operation): AttachmentRef[] {
    const keys = [...(this.history.changes.get(taskId)?.keys() ?? [])];
    return keys.filter((key) => key.startsWith(page?.keyPrefix ?? '')).map((key) => ({ taskId, key }));
  }

  private found(
    operation: Operation,
    key: string,
    attachment: Attachment | null,
    degraded: boolean,
    isTaskThere = false,
  ): void {
    const ref = { taskId: operation.planned.taskId, key };
    if (attachment) return this.foundAttachment(operation, attachment, degraded);
    const task = this.history.tasks.get(ref.taskId);
    const isMissingTask =
      !task || task.deletedAtMs !== undefined || task.organization !== operation.planned.organization;
    if (isMissingTask && !isTaskThere) return;
    this.missing(operation, ref, degraded);
    if (!operation.storeHasAnswered(key) && !this.isDeletedInJournal(ref, 0) && task?.deletedAtMs === undefined) {
      this.history.violate('invariant 7', `${operation.name} finds no ${ref.taskId}/${key}, and nothing said so`);
    }
  }

  private foundAttachment(operation: Operation, attachment: Attachment, degraded: boolean): void {
    const { name, planned } = operation;
    const { taskId, key, version, op, expiresAtMs } = attachment;
    const change = this.history.change(attachment, op);
    const body = attachment.content ?? attachment.value?.text;
    const hasBody = planned.page?.includeBodies !== false || planned.kind !== 'list';
    const written = change?.attachment?.content ?? change?.attachment?.value?.text;
    if (!change?.attachment || change.version !== version || (hasBody && body !== written)) {
      return this.history.violate(
        'truth',
        `${name} answers ${taskId}/${key} ${version} ${body}, which was never written`,
      );
    }
    if (
      change.isAstray &&
      change.committedAtMs === undefined &&
      (change.isLost || change.journaledAtMs === undefined)
    ) {
      return this.history.violate('epochs', `${name} answers ${taskId}/${key} ${version}, which is lost`);
    }
    if (this.history.tasks.get(taskId)?.organization !== planned.organization) {
      return this.history.violate('truth', `${name} answers ${taskId}/${key} to a stranger`);
    }
    const bound = this.bound(operation, attachment, degraded);
    if (bound && version < bound.version) {
      return this.history.violate(bound.rule, `${name} answers ${taskId}/${key} ${version}, ${bound.version} is known`);
    }
    if (expiresAtMs !== undefined && expiresAtMs <= operation.startClockMs) {
      this.history.violate('time to live', `${name} answers ${taskId}/${key} ${version}, which has expired`);
    }
  }

  /** A key is said not to be there. */
  private missing(operation: Operation, ref: AttachmentRef, degraded: boolean): void {
    const reason = this.reasonToShow(operation, ref, degraded);
    if (reason)
      this.history.violate(reason.rule, `${operation.name} finds no ${ref.taskId}/${ref.key}, ${reason.text}`);
  }

  /** Why a key must be there. */
  private reasonToShow(operation: Operation, ref: AttachmentRef, degraded: boolean) {
    const bound = this.bound(operation, ref, degraded);
    if (bound?.change?.attachment && !this.hasExpired(bound.change) && !this.isDeletedAbove(ref, bound.version)) {
      return { rule: bound.rule, text: `${bound.version} is known` };
    }
    if (!operation.storeHasAnswered(ref.key)) return undefined;
    const there = this.liveThroughout(ref, operation.startedAtMs);
    if (there === undefined || this.isDeletedInJournal(ref, there)) return undefined;
    return { rule: 'G6', text: `${there} was there all the time` };
  }

  private mayBeThere(operation: Operation, ref: AttachmentRef, degraded: boolean): boolean {
    const known = this.bound(operation, ref, degraded)?.version ?? 0;
    return [...this.history.changesOf(ref)].some(
      ({ attachment, version }) => attachment && version >= known && isLive(attachment, operation.startClockMs),
    );
  }

  /** The newest of what the replica had to know when the operation began. */
  private bound(operation: Operation, ref: AttachmentRef, degraded: boolean) {
    const task = this.history.tasks.get(ref.taskId);
    let bound: { version: number; rule: string; change?: Change } | undefined;
    const rule = task && this.wasKnown(operation, task, ref.key, task.deletedAtMs, degraded);
    if (rule) return { version: Infinity, rule };
    for (const change of this.history.changesOf(ref)) {
      if (change.isLost || change.isRefused || (bound && bound.version > change.version)) continue;
      const reason = this.wasKnown(operation, change, ref.key, change.committedAtMs, degraded);
      if (reason) bound = { version: change.version, rule: reason, change };
    }
    return bound;
  }

  /** Why the replica had to know of it. */
  private wasKnown(
    operation: Operation,
    one: Change | TaskHistory,
    key: string,
    committedAtMs: number | undefined,
    degraded: boolean,
  ): string | undefined {
    const { replica, startedAtMs } = operation;
    // What happens in the same millisecond may happen after it.
    const isBefore = (atMs: number | undefined) => atMs !== undefined && atMs < startedAtMs;
    const { acknowledged } = one;
    // What was forgotten is not returned from a cache that is not believed.
    const remembersAll = this.plan.scenario.memorySize === undefined || degraded;
    if (acknowledged?.by === replica.name && isBefore(acknowledged.atMs) && remembersAll) return 'G3';
    const isCommitted = isBefore(committedAtMs);
    if (isCommitted && operation.storeHasAnswered(key) && this.isChosenByStore(operation, one)) return 'truth';
    const xid = 'version' in one ? one.xid : one.deletionXid;
    const isProjected = isBefore(one.toldAtMs) || (xid !== undefined && xid < operation.knownBelow);
    if (isCommitted && isProjected && !degraded) return 'G4';
    if (!operation.cacheHasAnswered) return undefined;
    if (isBefore(one.keptAtMs)) return 'G4';
    // In another epoch Redis may not know any more what only the journal has.
    const isInRedis = this.history.replacements === 0 || one.keptAtMs !== undefined;
    if ('journaledAtMs' in one && isBefore(one.journaledAtMs) && !isCommitted && !isBefore(one.supersededAtMs))
      return isInRedis ? 'G4' : undefined;
    return undefined;
  }

  /** What a list from the database has left out it does not show; a body that is read by key may be an older one. */
  private isChosenByStore(operation: Operation, one: Change | TaskHistory): boolean {
    if (!operation.hasReadByKey) return true;
    if (!('version' in one) || one.attachment) return false;
    return ![...this.history.changesOf(one)].some(({ attachment, version }) => attachment && version > one.version);
  }

  private checkFlag(operation: Operation, degraded: boolean | undefined): void {
    // A list must also know what the journal has.
    const hasReason = operation.planned.kind === 'list' ? operation.failures > 0 : operation.storeHasFailed;
    if (degraded && !hasReason && operation.slowestCallMs <= SLOW_MS) {
      this.history.violate('flags', `${operation.name} is degraded, and nothing was unavailable`);
    }
    const isDeletedTask = this.history.tasks.get(operation.planned.taskId)?.deletedAtMs !== undefined;
    if (!degraded && operation.storeReadHasFailed && !isDeletedTask) {
      this.history.violate('flags', `${operation.name} is not degraded, and the database was unavailable`);
    }
  }

  private hasExpired({ attachment }: Change): boolean {
    const { nowMs, maxSkewMs } = this.history;
    return attachment?.expiresAtMs !== undefined && attachment.expiresAtMs <= nowMs + maxSkewMs;
  }

  private isDeletedAbove(ref: AttachmentRef, version: number): boolean {
    if (this.history.tasks.get(ref.taskId)?.deletedAtMs !== undefined) return true;
    return [...this.history.changesOf(ref)].some((change) => change.version >= version && this.isGone(change));
  }

  private isDeletedInJournal(ref: AttachmentRef, above: number): boolean {
    return [...this.history.changesOf(ref)].some(
      (change) => change.journaledAtMs !== undefined && change.version > above && this.isGone(change),
    );
  }

  private isGone(change: Change): boolean {
    return !change.attachment || this.hasExpired(change);
  }

  /** The version that the database had first since `sinceMs`, if it has had one alive ever since. */
  private liveThroughout(ref: AttachmentRef, sinceMs: number): number | undefined {
    if (this.history.tasks.get(ref.taskId)?.deletedAtMs !== undefined) return undefined;
    const commits = this.history.commitsOf(ref);
    const first = commits.findLastIndex(({ committedAtMs }) => (committedAtMs as number) <= sinceMs);
    const since = commits.slice(first);
    return first >= 0 && since.every((change) => !this.isGone(change)) ? since[0]?.version : undefined;
  }
}

/** Since when a change has had an effect anywhere. */
function sinceMs({ committedAtMs = Infinity, journaledAtMs = Infinity, supersededAtMs = Infinity }: Change): number {
  return Math.min(committedAtMs, journaledAtMs, supersededAtMs);
}
