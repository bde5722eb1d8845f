import type { AttachmentCache, ProjectionCursor } from '../../ports/attachment-cache';
import type { Clock } from '../../ports/clock';
import type { CoreSettings } from '../../ports/core-settings';
import type { Outbox, OutboxChanges } from '../../ports/outbox';
import { isOutage } from '../../ports/store-error';
import { UnfitSchemaError } from '../../ports/unfit-schema-error';
import type { CacheTrust } from '../../consistency/cache-trust';
import type { EpochWatch, Standing } from '../../consistency/epoch-watch';
import { PartsInTurn } from '../../consistency/parts-in-turn';
import { ProjectionLag } from '../../consistency/projection-lag';
import { ProjectionProgress } from '../../consistency/projection-progress';

const BATCH_SIZE = 1000;
/** For transactions that stay open for long, and for clocks that differ. */
const LOOK_BACK_MARGIN_MS = 10 * 60 * 1000;
/**
 * How long nothing is projected, and parts of the cache are not looked at, if nothing changes: much shorter than
 * `EPOCH_SILENCE_MS`, even with a machine that stops for seconds.
 */
const MAX_SILENCE_MS = 2000;
/** To enter an epoch, to begin one before, and to project in it. */
const MAX_READINGS = 3;

type Turn = 'changed' | 'more' | 'done';

/**
 * Makes the cache forget what is older than a change of which it may not have been told. Every replica does this: only
 * its own reading of the outbox tells a replica how far the cache must have been brought to be believed, and whether
 * store and cache still belong together.
 */
export class ProjectChanges {
  private lag = new ProjectionLag();
  private projectedAtMs = -Infinity;
  private readonly parts = new PartsInTurn();
  private readonly progress = new ProjectionProgress();

  constructor(
    private readonly cache: AttachmentCache,
    private readonly outbox: Outbox,
    private readonly trust: CacheTrust,
    private readonly epochs: EpochWatch,
    private readonly clock: Clock,
    private readonly settings: CoreSettings,
  ) {}

  /** Whether store and cache belong together, as of the last reading. */
  get standing(): Standing {
    return this.epochs.current;
  }

  /** Whether this replica believed the cache after the last turn. */
  get isCacheTrusted(): boolean {
    return this.progress.isCacheTrusted;
  }

  /** Since when the cache may lack a change, as far as this replica knows; undefined if it never had them all. */
  get lagMs(): number | undefined {
    return this.progress.lagMs(this.clock.monotonicMs());
  }

  /** Takes one batch. An unfit schema only changes the standing. */
  async execute(): Promise<{ more: boolean }> {
    try {
      return await this.takeTurns();
    } catch (error) {
      this.progress.fail();
      this.parts.startOver();
      if (!(error instanceof UnfitSchemaError)) throw error;
      this.refuse(error);
      return { more: false };
    }
  }

  /** Found by another reading of the store. The next turn that finds a fit schema ends it. */
  refuse(error: UnfitSchemaError): void {
    this.epochs.leaveUnfit(error);
  }

  private async takeTurns(): Promise<{ more: boolean }> {
    let turn: Turn = 'changed';
    for (let reading = 0; turn === 'changed' && reading < MAX_READINGS; reading++) {
      this.progress.begin();
      turn = await this.take();
      if (turn === 'changed') this.startAnew();
    }
    this.progress.end(this.clock.monotonicMs());
    return { more: turn !== 'done' };
  }

  private async take(): Promise<Turn> {
    const isSilent = this.clock.monotonicMs() - this.projectedAtMs >= MAX_SILENCE_MS;
    if (isSilent) this.parts.startOver();
    const part = this.parts.next();
    const cursors = await this.cursors(part);
    // A cache that is told of every change has no part in the history of the store.
    if (cursors.length === 0 && this.standing !== 'home') await this.epochs.judgeWithoutCache();
    const known = cursors.filter(({ position }) => position !== undefined);
    const lost = cursors.filter(({ position }) => position === undefined);
    let turn: Turn = 'done';
    for (const alike of [known, lost]) {
      if (alike.length === 0) continue;
      const taken = await this.bring(alike, isSilent);
      if (taken === 'changed') return taken;
      if (taken === 'more') turn = taken;
    }
    // The other parts may lack the same.
    return part && !this.parts.areAlike ? 'more' : turn;
  }

  private async cursors(part: readonly number[] | undefined): Promise<readonly ProjectionCursor[]> {
    try {
      return await this.cache.cursors(part);
    } catch (error) {
      if (part) {
        this.parts.startOver();
        return this.cursors(undefined);
      }
      this.trust.distrust(Infinity);
      await this.epochs.judgeWithoutCache();
      throw error;
    }
  }

  /**
   * Brings all parts forward from the lowest of their positions, so that they come together again; if no position is
   * known, from before everything that the cache can still hold.
   */
  private async bring(cursors: readonly ProjectionCursor[], isSilent: boolean): Promise<Turn> {
    const positions = cursors.flatMap(({ position }) => position ?? []);
    const from = positions.length > 0 ? Math.min(...positions) : undefined;
    const read = await this.read(cursors, from);
    const verdict = await this.epochs.judge(cursors, read);
    if (verdict !== 'agreed') {
      this.parts.startOver();
      this.progress.stopped();
      return verdict === 'changed' ? 'changed' : 'done';
    }

    for (const { generation } of cursors) this.trust.learnHorizon(generation, read.horizon);
    const nowMs = this.clock.monotonicMs();
    const overdue = this.lag.overdueHorizon(read, nowMs);
    if (overdue !== undefined) this.trust.distrust(overdue);
    for (const cursor of cursors) if (isSilent || isBehind(cursor, read)) await this.project(cursor, read);
    if (isSilent) this.projectedAtMs = nowMs;
    this.parts.learn(cursors, read);
    this.progress.brought({
      isTrusted: cursors.every(({ generation }) => this.trust.reaches(generation, read.to)),
      isCaughtUp: read.to >= read.horizon,
    });
    return read.changes.length >= BATCH_SIZE ? 'more' : 'done';
  }

  private async read(cursors: readonly ProjectionCursor[], from: number | undefined): Promise<OutboxChanges> {
    try {
      return await this.outbox.changes(from, BATCH_SIZE, this.settings.cacheTtlMs + LOOK_BACK_MARGIN_MS);
    } catch (error) {
      if (isOutage(error)) await this.epochs.follow(cursors);
      throw error;
    }
  }

  /** A cache that takes no changes must not be believed: other replicas go on making changes. */
  private async project(cursor: ProjectionCursor, { changes, to, horizon }: OutboxChanges): Promise<void> {
    try {
      await this.cache.project(cursor, changes, to);
    } catch (error) {
      this.trust.distrust(horizon);
      throw error;
    }
  }

  /** Positions of another epoch mean nothing. */
  private startAnew(): void {
    this.lag = new ProjectionLag();
    this.projectedAtMs = -Infinity;
  }
}

function isBehind({ position = -1 }: ProjectionCursor, { to }: OutboxChanges): boolean {
  return position < to;
}
