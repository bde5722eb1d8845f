import { newReplicaState } from '../../../../src/app/replica-state';
import { composeUseCases } from '../../../../src/app/use-cases';
import type {
  AttachmentCache,
  CacheOwner,
  EpochClaim,
  EpochVerdict,
  ProjectionCursor,
} from '../../../../src/core/ports/attachment-cache';
import { StoreError } from '../../../../src/core/ports/store-error';
import { JournalingFixture } from '../../../support/fixture';

const PARTS = [0, 1, 2];
const TURN_MS = 50;
/** More than the time after which all parts are looked at. */
const SILENCE_MS = 2500;

/** A cache of several parts, of which only the cursors and the owners are kept. */
class CursorsInParts {
  private readonly owners = new Map<number, CacheOwner>();
  readonly positions = new Map<number, number | undefined>(PARTS.map((part) => [part, undefined]));
  readonly away = new Set<number>();
  generation = 1;
  /** Those that were asked for, since this was last emptied. */
  readonly asked: (readonly number[])[] = [];

  cursors(parts: readonly number[] = PARTS): Promise<ProjectionCursor[]> {
    this.asked.push(parts);
    const there = parts.filter((part) => !this.away.has(part));
    if (there.length === 0) return Promise.reject(new StoreError('redis', 'unavailable'));
    const { generation, positions, owners } = this;
    return Promise.resolve(
      there.map((part) => ({ position: positions.get(part), generation, parts: [part], owner: owners.get(part) })),
    );
  }

  project({ position, parts }: ProjectionCursor, _changes: unknown, to: number): Promise<void> {
    for (const part of parts) if (this.positions.get(part) === position) this.positions.set(part, to);
    return Promise.resolve();
  }

  enter(parts: readonly number[], { databaseId, epoch }: EpochClaim): Promise<EpochVerdict> {
    for (const part of parts) this.owners.set(part, { databaseId, epoch, isFamiliar: true });
    return Promise.resolve('entered');
  }

  get epochs(): (string | undefined)[] {
    return PARTS.map((part) => this.owners.get(part)?.epoch);
  }
}

describe('the projection into a cache of several parts', () => {
  let fixture: JournalingFixture;
  let parts: CursorsInParts;
  let turn: () => Promise<{ more: boolean }>;

  beforeEach(async () => {
    fixture = new JournalingFixture();
    await fixture.task('t-1');
    parts = new CursorsInParts();
    const cache = parts as unknown as AttachmentCache;
    const { projectChanges } = composeUseCases(
      { ...fixture.ports, cache },
      { state: newReplicaState({ ...fixture.ports, cache }) },
    );
    turn = async () => {
      parts.asked.length = 0;
      fixture.clock.advance(TURN_MS);
      return projectChanges.execute();
    };
    while ((await turn()).more);
    await turn();
  });

  const positions = () => [...parts.positions.values()];

  it('looks at one part after the other while nothing changes, and at all of them from time to time', async () => {
    const asked: number[][] = [];
    for (const _ of PARTS) {
      await turn();
      asked.push(...parts.asked.map((some) => [...some]));
    }
    expect(asked.sort()).toEqual([[0], [1], [2]]);
    fixture.clock.advance(SILENCE_MS);
    await turn();
    expect(parts.asked).toEqual([PARTS]);
  });

  it('looks at all parts at once when anything has changed', async () => {
    await turn();
    await fixture.text('t-1', 'k', 'x');
    const { more } = await turn();
    expect(more).toBe(true);
    await turn();
    expect(parts.asked).toEqual([PARTS]);
    expect(new Set(positions())).toEqual(new Set([await fixture.ports.outbox.horizon(TURN_MS)]));
  });

  it('looks at all parts through a new connection', async () => {
    await turn();
    parts.generation += 1;
    expect(await turn()).toEqual({ more: true });
    await turn();
    expect(parts.asked).toEqual([PARTS]);
  });

  it('finds a part that has lost its cursor when it looks at all parts, if not before', async () => {
    await turn();
    const [known] = positions();
    for (const part of PARTS) parts.positions.set(part, part === 1 ? undefined : known);
    fixture.clock.advance(SILENCE_MS);
    while ((await turn()).more);
    expect(positions()).toEqual([known, known, known]);
  });

  it('goes on with the other parts while one does not answer', async () => {
    await turn();
    parts.away.add(0);
    for (const _ of PARTS) await turn();
    for (const _ of PARTS) {
      await turn();
      expect(parts.asked.flat()).not.toContain(0);
    }
  });

  it('enters another epoch with all parts in the turn that finds it', async () => {
    await turn();
    const { history } = fixture.database;
    history.beginEpoch(history.epoch);
    await turn();
    expect(parts.epochs).toEqual(PARTS.map(() => history.epoch));
  });
});
