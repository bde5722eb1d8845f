import fc from 'fast-check';

/** Places among those that a lane has: of a task, a key, an organisation, a body, a moment. */
type Pick = number;

/** A version near one that counts, and an op. */
export interface StampChoice {
  /** Standing: the version under the key, or the floor if there is none; newest: the higher of both. */
  readonly near: 'floor' | 'standing' | 'newest';
  readonly by: number;
  /** That of what stands under the key. */
  readonly repeatsOp: boolean;
}

export interface Row {
  readonly key: Pick;
  readonly stamp: StampChoice;
  readonly body: Pick;
  readonly createdAt: Pick;
  readonly expiry: Pick;
}

export type Command =
  | { readonly kind: 'read'; readonly refs: readonly { task: Pick; key: Pick }[]; readonly organization: Pick }
  | { readonly kind: 'read-task'; readonly task: Pick }
  | {
      readonly kind: 'page';
      readonly task: Pick;
      readonly organization: Pick;
      readonly now: Pick;
      readonly page?: {
        readonly limit: number;
        readonly offset: number;
        readonly descending: boolean;
        readonly includeBodies: boolean;
        readonly known: readonly { key: Pick; stamp: StampChoice; deleted: boolean }[];
      };
    }
  | { readonly kind: 'put'; readonly task: Pick; readonly row: Row }
  | { readonly kind: 'delete'; readonly task: Pick; readonly row: Row }
  | { readonly kind: 'wipe'; readonly task: Pick; readonly row: Row }
  | {
      readonly kind: 'fill';
      readonly task: Pick;
      readonly organization: Pick;
      readonly token: 'fresh' | 'given before' | 'too high' | 'of an ended generation';
      readonly rows: readonly Row[];
      readonly withBodies: boolean;
      readonly complete: boolean;
      readonly isNewTask: boolean;
    }
  | {
      readonly kind: 'append';
      readonly task: Pick;
      readonly organization: Pick;
      readonly isDeletion: boolean;
      readonly row: Row;
      readonly now: Pick;
    }
  | { readonly kind: 'oldest' | 'backlog' | 'cursors' }
  | {
      readonly kind: 'settle';
      readonly entry: 'oldest' | 'second' | 'settled before' | 'the first two' | 'the second, then the first';
      readonly outcome: 'applied' | 'applied as another' | 'superseded' | 'refused' | 'postponed';
      readonly createdAt: Pick;
    }
  | {
      readonly kind: 'project';
      readonly from: 'here' | 'elsewhere' | 'nowhere';
      readonly by: number;
      readonly changes: readonly { task: Pick; row: Row; change: 'put' | 'deletion' | 'task-deleted' }[];
    }
  | { readonly kind: 'enter'; readonly database: Pick; readonly epoch: Pick; readonly ended: readonly Pick[] }
  | { readonly kind: 'evict'; readonly task: Pick; readonly key: Pick; readonly piece: Piece }
  | { readonly kind: 'age'; readonly task: Pick };

export type Piece = 'control' | 'index' | 'index entry' | 'hash';

/** The first most often: sequences in which everything is refused for one reason show nothing else. */
function mostly<const T>(weight: number, first: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.constantFrom(...Array.from({ length: weight }, () => first), ...others);
}

const task = mostly(4, 0, 1);
const key = mostly(3, 0, 1, 2);
const organization = mostly(19, 0, 1);
const now = mostly(4, 2, 0, 1, 3, 4);
const createdAt = fc.nat(5);
const stamp = fc.record({
  near: mostly(3, 'newest', 'floor', 'standing'),
  by: mostly(5, 2, -2, -1, 0, 0, 1, 6),
  repeatsOp: mostly(4, false, true),
});
const rowWith = (ofRow: fc.Arbitrary<StampChoice>): fc.Arbitrary<Row> =>
  fc.record({ key, stamp: ofRow, body: fc.nat(5), createdAt, expiry: mostly(5, 0, 1, 2, 3) });
const row = rowWith(stamp);
/** What the store answers is mostly known already, or was there before the floor was made. */
const storedRow = rowWith(
  fc.record({
    near: fc.constantFrom('standing', 'floor'),
    by: mostly(4, 0, -2, -1, 2),
    repeatsOp: mostly(3, true, false),
  }),
);
const rows = fc.uniqueArray(storedRow, { selector: (each) => each.key, maxLength: 3, size: 'max' });

const kind = <K extends Command['kind']>(name: K) => fc.constant(name);
const page = fc.record({
  limit: fc.integer({ min: 1, max: 3 }),
  offset: mostly(3, 0, 1, 2),
  descending: fc.boolean(),
  includeBodies: fc.boolean(),
  known: fc.array(fc.record({ key, stamp, deleted: fc.boolean() }), { maxLength: 2 }),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('read'),
      refs: fc.array(fc.record({ task, key }), { minLength: 1, maxLength: 4 }),
      organization,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('read-task'), task }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: kind('page'),
      task,
      organization,
      now,
      page: fc.option(page, { nil: undefined, freq: 4 }),
    }),
  },
  { weight: 10, arbitrary: fc.record({ kind: kind('put'), task, row }) },
  { weight: 8, arbitrary: fc.record({ kind: kind('delete'), task, row }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('wipe'), task, row }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: kind('fill'),
      task,
      organization,
      token: mostly(6, 'fresh', 'given before', 'given before', 'too high', 'of an ended generation'),
      rows,
      withBodies: mostly(3, true, false),
      complete: fc.boolean(),
      isNewTask: mostly(3, false, true),
    }),
  },
  {
    weight: 16,
    arbitrary: fc.record({ kind: kind('append'), task, organization, isDeletion: mostly(2, false, true), row, now }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('oldest', 'backlog', 'cursors') }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: kind('settle'),
      entry: mostly(6, 'oldest', 'the first two', 'the second, then the first', 'second', 'settled before'),
      outcome: fc.constantFrom('applied', 'applied as another', 'superseded', 'refused', 'postponed'),
      createdAt,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('project'),
      from: mostly(5, 'here', 'elsewhere', 'nowhere'),
      by: mostly(5, 2, 0, -1),
      changes: fc.array(
        fc.record({
          task,
          row,
          change: mostly(6, 'put', 'deletion', 'deletion', 'deletion', 'deletion', 'task-deleted'),
        }),
        { maxLength: 3, size: 'max' },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: kind('enter'),
      database: mostly(9, 0, 1),
      epoch: fc.nat(2),
      ended: fc.array(fc.nat(2), { maxLength: 2, size: 'max' }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: kind('evict'),
      task,
      key,
      piece: mostly(2, 'hash', 'index', 'index entry', 'control'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: kind('age'), task }) },
);

/** Few commands have an effect on a task of which nothing is known. */
const opening = (ofTask: Pick): fc.Arbitrary<Command> =>
  fc.record({
    kind: kind('fill'),
    task: fc.constant(ofTask),
    organization,
    token: mostly(1, 'fresh'),
    rows,
    withBodies: mostly(3, true, false),
    complete: mostly(3, true, false),
    isNewTask: mostly(3, false, true),
  });

export const commands: fc.Arbitrary<readonly Command[]> = fc
  .tuple(
    fc.option(opening(0), { nil: undefined, freq: 9 }),
    fc.option(opening(1), { nil: undefined }),
    fc.array(command, { maxLength: 30, size: 'max' }),
  )
  .map(([first, second, others]) => [first, second, ...others].filter((each) => each !== undefined));
