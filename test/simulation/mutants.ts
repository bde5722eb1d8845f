/** The code without one of its mechanisms: a simulation that does not notice proves nothing. */
export interface Mutant {
  readonly name: string;
  /** The scenario in which it shows, if it hardly does in others. */
  readonly scenario?: string;
  /** From the root of the repository. */
  readonly file: string;
  /** Is found in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

const USE_CASES = 'src/core/use-cases';
const CONSISTENCY = 'src/core/consistency';
const MEMORY = 'src/outbound/memory';
const MODEL = 'test/support/cache-model';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'own versions are not remembered',
    scenario: 'backlog',
    file: `${CONSISTENCY}/acknowledged-changes.ts`,
    find: `    return this.changeOf(ref)?.version ?? 0;`,
    replace: `    return 0;`,
  },
  {
    name: 'a list is not held against own changes',
    scenario: 'long transactions',
    file: `${CONSISTENCY}/acknowledged-changes.ts`,
    find: `    return [...task.unchecked].map((key) => task.changes.get(key) as AcknowledgedChange);`,
    replace: `    return [];`,
  },
  {
    name: 'own journaled changes are not remembered for lists',
    scenario: 'backlog',
    file: `${CONSISTENCY}/acknowledged-changes.ts`,
    find: `    return [...(this.changed(taskId)?.changes.values() ?? [])].filter(({ journaled }) => journaled);`,
    replace: `    return [];`,
  },
  {
    name: 'own deletions of tasks are not remembered',
    scenario: 'tasks deleted',
    file: `${CONSISTENCY}/acknowledged-changes.ts`,
    find: `    return this.tasks.get(taskId) === 'deleted';`,
    replace: `    return false;`,
  },
  {
    name: 'a new process trusts the cache',
    scenario: 'redis back old',
    file: `${CONSISTENCY}/cache-trust.ts`,
    find: `    this.current = generation;\n    this.need = Infinity;`,
    replace: `    this.need = this.current === 0 ? 0 : Infinity;\n    this.current = generation;`,
  },
  {
    name: 'the cache is trusted after a reconnect',
    scenario: 'slow replies across a reconnect',
    file: `${CONSISTENCY}/cache-trust.ts`,
    find: `    this.current = generation;\n    this.need = Infinity;`,
    replace: `    this.need = this.current === 0 ? Infinity : this.need;\n    this.current = generation;`,
  },
  {
    name: 'an own write that both stores have lost is asked for for ever',
    file: `${CONSISTENCY}/attachment-lookup.ts`,
    find: `      this.acknowledged.forget(ref, ownVersion);`,
    replace: `      throw new StoreError('postgres', 'unavailable');`,
  },
  {
    name: 'an older version than acknowledged is returned while redis is unavailable',
    scenario: 'backlog',
    file: `${CONSISTENCY}/attachment-lookup.ts`,
    find: `      if (!cached) throw new StoreError('redis', 'unavailable');`,
    replace: `      if (!cached) void 0;`,
  },
  {
    name: 'a journaled record does not correct the answer of the store',
    file: `${CONSISTENCY}/attachment-lookup.ts`,
    find: `    const isNewer = journaledVersion > storedVersion;`,
    replace: `    const isNewer = journaledVersion > Infinity;`,
  },
  {
    name: 'not found is said of an unknown attachment',
    file: `${CONSISTENCY}/attachment-lookup.ts`,
    find: `    if (version === undefined || version < ownVersion) return undefined;`,
    replace: `    if (version === undefined) return { taskExists: true, degraded: true };`,
  },
  {
    name: 'lists are not corrected by the journal',
    file: `${CONSISTENCY}/corrected-list.ts`,
    find: `    if (corrections.length === 0) return undefined;`,
    replace: `    if (corrections.length < Infinity) return undefined;`,
  },
  {
    name: 'a corrected list shows what the store has deleted over the journal',
    scenario: 'backlog',
    file: `${CONSISTENCY}/corrected-list.ts`,
    find: `if (change.version > (gone.get(change.key) ?? 0)) correct(`,
    replace: `correct(`,
  },
  {
    name: 'a corrected list lacks what has been drained meanwhile',
    scenario: 'backlog',
    file: `${CONSISTENCY}/corrected-list.ts`,
    find: `      if (attachment) outlines.set(key, outlineOf(attachment));
      else gone.set(key, version);`,
    replace: `      gone.set(key, version);`,
  },
  {
    name: 'a deletion is not forced over what only the journal has',
    scenario: 'backlog',
    file: `${CONSISTENCY}/attachment-remover.ts`,
    find: `      progress.force = found.journaled === true;`,
    replace: `      progress.force = false;`,
  },
  {
    name: 'a write is not judged by the journal',
    scenario: 'backlog',
    file: `${CONSISTENCY}/attachment-writer.ts`,
    find: `    if (!this.backlog.mayExist) return undefined;`,
    replace: `    if (this.backlog) return undefined;`,
  },
  {
    name: 'the store judges by what it has, even if the journal has something newer',
    scenario: 'backlog',
    file: `${MEMORY}/memory-database.ts`,
    find: `    if (!isNewer) return this.liveAttachment(`,
    replace: `    if (!isNewer || over) return this.liveAttachment(`,
  },
  {
    name: 'an own append does not tell that entries wait',
    scenario: 'postgres out',
    file: `${CONSISTENCY}/journal-backlog.ts`,
    find: `    this.appends += 1;
    this.isEmpty = false;`,
    replace: `    this.appends += 1;`,
  },
  {
    name: 'a journal that could not be read counts as empty',
    scenario: 'backlog',
    file: `${CONSISTENCY}/journal-backlog.ts`,
    find: `    } catch (error) {
      this.isEmpty = false;`,
    replace: `    } catch (error) {
      this.isEmpty = true;`,
  },
  {
    name: 'newer is not listened to',
    scenario: 'wild clocks',
    file: `${CONSISTENCY}/attachment-writer.ts`,
    find: `    if (reply?.newer !== undefined) return reply.newer;`,
    replace: ``,
  },
  {
    name: 'the journal is offered another version than the store',
    file: `${CONSISTENCY}/attachment-writer.ts`,
    find: `        outage = error;\n        return this.putInJournal(put, caller, nowMs, error);`,
    replace: `        outage = error;\n        return new Overtaken(0);`,
  },
  {
    name: 'conditional writes go to the journal',
    file: `${CONSISTENCY}/attachment-writer.ts`,
    find: `        if (condition || !isOutage(error)) throw error;`,
    replace: `        if (!isOutage(error)) throw error;`,
  },
  {
    name: 'conditional deletions go to the journal',
    file: `${CONSISTENCY}/attachment-remover.ts`,
    find: `        if (condition) throw stored;`,
    replace: ``,
  },
  {
    name: 'no floor in the next version',
    scenario: 'clocks far apart',
    file: `${CONSISTENCY}/write-versioned.ts`,
    find: `    if (outcome.floor !== undefined) floor = outcome.floor;`,
    replace: ``,
  },
  {
    name: 'an entry is settled whether or not it is drained',
    file: `${CONSISTENCY}/drain-batch.ts`,
    find: `    try {
      const outcomes = await this.store.drain(entries.map(({ write }) => write));`,
    replace: `    try {
      entries.forEach((entry) => this.answered(entry, { state: 'superseded' }));
      const outcomes = await this.store.drain(entries.map(({ write }) => write));`,
  },
  {
    name: 'what the store refuses stops the drain',
    file: `${CONSISTENCY}/drain-batch.ts`,
    find: `        if (error.outcome !== 'refused') return `,
    replace: `        return `,
  },
  {
    name: 'one bad entry stops those that are drained with it',
    scenario: 'refused for good',
    file: `${CONSISTENCY}/drain-batch.ts`,
    find: `      if (!(error instanceof StoreError) || error.outcome === 'unavailable') throw error;`,
    replace: `      if (error) throw error;`,
  },
  {
    name: 'an entry whose task is locked counts as drained',
    scenario: 'refused for good',
    file: `${CONSISTENCY}/drain-batch.ts`,
    find: `    if (outcome.state !== 'busy') return void this.outcomes.set(entry, outcome);`,
    replace: `    if (outcome) return void this.outcomes.set(entry, { state: 'superseded' });`,
  },
  {
    name: 'nothing is projected',
    file: `${USE_CASES}/upkeep/project-changes.ts`,
    find: `await this.cache.project(cursor, changes, to)`,
    replace: `await this.cache.project(cursor, [], to)`,
  },
  {
    name: 'a cache whose cursor is not read is believed',
    file: `${USE_CASES}/upkeep/project-changes.ts`,
    find: `      this.trust.distrust(Infinity);`,
    replace: ``,
  },
  {
    name: 'a cache that takes no changes is believed',
    scenario: 'redis refuses',
    file: `${USE_CASES}/upkeep/project-changes.ts`,
    find: `      this.trust.distrust(horizon);`,
    replace: ``,
  },
  {
    name: 'a cache that is far behind is believed',
    scenario: 'long transactions',
    file: `${USE_CASES}/upkeep/project-changes.ts`,
    find: `    if (overdue !== undefined) this.trust.distrust(overdue);`,
    replace: ``,
  },
  {
    name: 'only the first horizon ahead is watched',
    scenario: 'long transactions',
    file: `${CONSISTENCY}/projection-lag.ts`,
    find: `if (horizon > (this.ahead.at(-1)?.horizon ?? to)) this`,
    replace: `if (this.ahead.length === 0 && horizon > to) this`,
  },
  {
    name: 'publishing goes on after a failure',
    file: `${USE_CASES}/events/publish-events.ts`,
    find: `      await this.bus.publish(one.event);`,
    replace: `      await this.bus.publish(one.event).catch(() => undefined);`,
  },
  {
    name: 'events of a task are published at once',
    file: `${USE_CASES}/events/publish-events.ts`,
    find: `    for (const one of events) {\n      await this.bus.publish(one.event);\n      published.push(one);\n      this.metrics.eventPublished(one.event.type);\n    }`,
    replace: `    await Promise.all(events.map((one) => this.bus.publish(one.event).then(() => published.push(one))));`,
  },
  {
    name: 'clock versions for expiry',
    scenario: 'time to live',
    file: `src/core/domain/version.ts`,
    find: `return { version: expired.version + 1,`,
    replace: `return { version: expired.version + VERSIONS_PER_MS * 4001,`,
  },
  {
    name: 'expiry ties with writes',
    scenario: 'clocks far apart',
    file: `src/core/domain/version.ts`,
    find: `  return version % 2 === 0 ? version : version + 1;`,
    replace: `  return version;`,
  },
  {
    name: 'the store applies older versions',
    file: `${MEMORY}/memory-database.ts`,
    find: `    return standing >= version ?`,
    replace: `    return standing === version ?`,
  },
  {
    name: 'deletions leave no tombstone in the store',
    file: `${MEMORY}/memory-database.ts`,
    find: `    this.store({ taskId, key, ...stamp, deleted: true });`,
    replace: `    this.attachments.get(taskId)?.delete(key);`,
  },
  {
    name: 'no forced tombstone where nothing is',
    scenario: 'redis back empty',
    file: `${MEMORY}/memory-database.ts`,
    find: `    if (!live && !force) return { state: 'attachment-missing' };`,
    replace: `    if (!live) return { state: 'attachment-missing' };`,
  },
  {
    name: 'an op may have two rows',
    file: `${MEMORY}/memory-outbox-rows.ts`,
    find: `    if (this.ops.has(unnumbered.op)) return;`,
    replace: ``,
  },
  {
    name: 'a superseded drain leaves no event',
    file: `${MEMORY}/memory-attachment-store.ts`,
    find: `    this.database.record(late, { superseded: true });`,
    replace: ``,
  },
  {
    name: 'events of a deleted task are announced',
    file: `${MEMORY}/memory-attachment-store.ts`,
    find: `{ superseded: true, published: true }`,
    replace: `{ superseded: true }`,
  },
  {
    name: 'no horizon for transactions that are under way',
    file: `${MEMORY}/memory-database.ts`,
    find: `    return lowest ?? this.nextXid;`,
    replace: `    return lowest === undefined ? this.nextXid : this.nextXid;`,
  },
  {
    name: 'no floor in a new control',
    scenario: 'forgetful redis',
    file: `${MODEL}/cache-model.ts`,
    find: `floor: this.options.newFloor(),`,
    replace: `floor: 0,`,
  },
  {
    name: 'no skew margin in a new control',
    scenario: 'forgetful redis',
    file: `test/simulation/servers.ts`,
    find: `versionAt(timeline.nowMs + plan.floorSkewMs)`,
    replace: `versionAt(timeline.nowMs)`,
  },
  {
    name: 'an append does not look at the floor',
    file: `${MODEL}/cache-model.ts`,
    find: `    const standing = record?.version ?? control.floor;`,
    replace: `    const standing = record?.version ?? 0;`,
  },
  {
    name: 'an append does not know deleted tasks',
    file: `${MODEL}/cache-model.ts`,
    find: `    if (control?.deletedVersion !== undefined) return { state: 'task-missing' };`,
    replace: ``,
  },
  {
    name: 'an append takes tasks it does not know',
    file: `${MODEL}/cache-model.ts`,
    find: `    if (!control || control.organization === undefined) return { state: 'unknown' };\n    if (control.organization !== write.organization) return { state: 'task-missing' };`,
    replace: `    if (!control) return { state: 'unknown' };`,
  },
  {
    name: 'an append deletes what it does not know',
    scenario: 'both out',
    file: `${MODEL}/cache-model.ts`,
    find: `    if ('deletion' in write && !isLive) return { state: 'unknown' };`,
    replace: ``,
  },
  {
    name: 'a fill needs no token',
    file: `${MODEL}/cache-model.ts`,
    find: ` || control.floor !== token.floor) return;`,
    replace: `) return;`,
  },
  {
    name: 'a fill overwrites newer records',
    file: `${MODEL}/cache-model.ts`,
    find: `    if (!record || attachment.version > record.version) {`,
    replace: `    if (!record || attachment.version !== record.version) {`,
  },
  {
    name: 'applying does not look at the version',
    file: `${MODEL}/cache-model.ts`,
    find: `    if (record && record.version >= version) {`,
    replace: `    if (record && record.version === version) {`,
  },
  {
    name: 'applying does not know deleted tasks',
    scenario: 'tasks deleted',
    file: `${MODEL}/cache-model.ts`,
    find: `    if (!control || control.deletedVersion !== undefined) return undefined;\n    const record`,
    replace: `    if (!control) return undefined;\n    const record`,
  },
  {
    name: 'applying does not name what is newer',
    scenario: 'wild clocks',
    file: `${MODEL}/cache-model.ts`,
    find: `      return record.mark !== 'cached' && record.op !== op ? record.version : undefined;`,
    replace: `      return undefined;`,
  },
  {
    name: 'applying names only what is not drained',
    scenario: 'wild clocks',
    file: `${MODEL}/cache-model.ts`,
    find: `      return record.mark !== 'cached' && record.op !== op ?`,
    replace: `      return record.mark === 'journaled' && record.op !== op ?`,
  },
  {
    name: 'a deletion does not raise the floor',
    file: `${MODEL}/cache-model.ts`,
    find: `      task.remove(control, key);\n      raiseFloor(control, version);`,
    replace: `      task.remove(control, key);`,
  },
  {
    name: 'applying does not look at the floor',
    file: `${MODEL}/cache-model.ts`,
    find: ` || version > control.floor) {`,
    replace: ` || version > 0) {`,
  },
  {
    name: 'a forgotten put leaves the index complete',
    file: `${MODEL}/task-state.ts`,
    find: `  control.complete = false;\n  raiseFloor(control, version);`,
    replace: `  raiseFloor(control, version);`,
  },
  {
    name: 'projecting does not raise the floor',
    file: `${MODEL}/cache-model.ts`,
    find: `  if (record || !deleted) forget(control, version);\n  else raiseFloor(control, version);`,
    replace: `  if (record || !deleted) control.complete = false;`,
  },
  {
    name: 'projecting a deletion raises the floor only to it',
    scenario: 'forgetful redis',
    file: `${MODEL}/cache-model.ts`,
    find: `  else raiseFloor(control, version);`,
    replace: `  else control.floor = Math.max(control.floor, version);`,
  },
  {
    name: 'entries are settled past one that was not drained',
    file: `${CONSISTENCY}/drain-batch.ts`,
    find: `      const outcome = this.outcomes.get(entry);`,
    replace: `      const outcome = this.outcomes.get(entry) ?? { state: 'superseded' };`,
  },
  {
    name: 'what is postponed leaves the journal',
    file: `${MODEL}/cache-model.ts`,
    find: `      this.journal.push(head);`,
    replace: ``,
  },
  {
    name: 'what is refused does not wait for what it has overtaken',
    scenario: 'refused for good',
    file: `${MODEL}/cache-model.ts`,
    find: `(state === 'refused' && isNewest && control?.overtaken.has(key))`,
    replace: `false`,
  },
  {
    name: 'projecting forgets newer records',
    file: `${MODEL}/cache-model.ts`,
    find: `  if (record && (record.version > version || `,
    replace: `  if (record && (`,
  },
  {
    name: 'the cursor is moved by any replica',
    scenario: 'redis back old',
    file: `${MODEL}/cache-model.ts`,
    find: `    if (this.cursor !== from) return;`,
    replace: `    if (from !== undefined && this.cursor === -1) return;`,
  },
  {
    name: 'the index is complete when it is not',
    file: `${MODEL}/task-state.ts`,
    find: `    if (!control.complete) return false;`,
    replace: ``,
  },
  {
    name: 'the size of the index is not checked',
    scenario: 'eviction',
    file: `${MODEL}/task-state.ts`,
    find: `    return (this.index?.scores.size ?? 0) === this.liveCount();`,
    replace: `    return true;`,
  },
  {
    name: 'an index knows no expiry',
    scenario: 'time to live',
    file: `${MODEL}/task-state.ts`,
    find: `    if (control.earliestExpiryMs !== undefined && control.earliestExpiryMs <= nowMs) return false;`,
    replace: ``,
  },
  {
    name: 'what is journaled may end',
    file: `${MODEL}/task-state.ts`,
    find: `this.control.undrained > 0 ? Infinity : nowMs + this.ttlMs`,
    replace: `nowMs + this.ttlMs`,
  },
  {
    name: 'journaled hashes may end',
    file: `${MODEL}/task-state.ts`,
    find: `mark === 'journaled' ? Infinity : nowMs + this.ttlMs`,
    replace: `nowMs + this.ttlMs`,
  },
  {
    name: 'a record keeps its provisional identity',
    file: `${MODEL}/cache-model.ts`,
    find: `    const attachment = { ...body, ...identityOf(identity) };`,
    replace: `    const attachment = body;`,
  },
  {
    name: 'a refused record stays',
    file: `${MODEL}/cache-model.ts`,
    find: `      task.remove(control, key);\n      forget(control, record.version);`,
    replace: ``,
  },
];
