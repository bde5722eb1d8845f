import type { Attachment } from '../../../../src/core/domain/attachment';
import { attachmentCreated } from '../../../../src/core/domain/domain-event';
import type { PutOutcome } from '../../../../src/core/ports/attachment-store';
import { StoreError } from '../../../../src/core/ports/store-error';
import type { PlainPut } from '../../../../src/outbound/postgres/put-group';
import { PutGroups, type GroupedOutcome } from '../../../../src/outbound/postgres/put-groups';

const TIMEOUT_MS = 4000;
/** What comes then waits. */
const LIMITS = { statements: 3, few: 3 };

type Settle<T> = { readonly resolve: (value: T) => void; readonly reject: (error: unknown) => void };
type Alone = { readonly key: string; readonly timeoutMs: number } & Settle<PutOutcome>;
type Together = {
  readonly keys: readonly string[];
  readonly waits: boolean;
  readonly timeoutMs: number;
} & Settle<readonly GroupedOutcome[]>;

describe('PutGroups', () => {
  let nowMs: number;
  let timers: { atMs: number; run: () => void }[];
  let alone: Alone[];
  let together: Together[];
  let groups: PutGroups;

  const after = (ms: number, run: () => void) => {
    const timer = { atMs: nowMs + ms, run };
    timers.push(timer);
    return () => void (timers = timers.filter((one) => one !== timer));
  };
  const pass = async (ms: number) => {
    nowMs += ms;
    for (const timer of timers.filter(({ atMs }) => atMs <= nowMs)) {
      timers = timers.filter((one) => one !== timer);
      timer.run();
    }
    await settled();
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const keyOf = ({ put }: PlainPut) => put.attachment.key;
  const called = <T>(more: object): [Promise<T>, never] => {
    let settle: Settle<T> | undefined;
    const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
    return [promise, { ...more, ...settle } as never];
  };

  const start = (limits?: typeof LIMITS) => {
    [nowMs, timers, alone, together] = [0, [], [], []];
    groups = new PutGroups(
      {
        alone: (put, timeoutMs) => {
          const [promise, call] = called<PutOutcome>({ key: keyOf(put), timeoutMs });
          alone.push(call);
          return promise;
        },
        together: (puts, timeoutMs, waits) => {
          const [promise, call] = called<GroupedOutcome[]>({ keys: puts.map(keyOf), timeoutMs, waits });
          together.push(call);
          return promise;
        },
        waitedInVain: () => new StoreError('postgres', 'busy'),
      },
      { nowMs: () => nowMs, after, next: (run) => void setImmediate(run) },
      limits,
    );
  };
  beforeEach(() => start(LIMITS));

  interface Options extends Partial<Pick<Attachment, 'version' | 'taskId' | 'expiresAtMs' | 'bytes'>> {
    readonly organization?: string;
    readonly timeoutMs?: number;
  }
  const write = (key: string, { organization = 'acme', timeoutMs = TIMEOUT_MS, ...more }: Options = {}) => {
    const text = { type: 'text', content: 'x', bytes: 1, createdBy: 'ada', createdAtMs: 1, updatedAtMs: 1 } as const;
    const attachment = { id: key, taskId: 't', key, version: 2, op: key, ...text, ...more };
    const put = { put: { attachment, event: attachmentCreated(attachment, 'i') }, organization, nowMs: 1 };
    const outcome = groups.write(put, timeoutMs);
    outcome.catch(() => undefined);
    return outcome;
  };
  /** Takes all statements, so that the puts behind it wait. */
  const busy = () =>
    Array.from({ length: LIMITS.statements }, (_, i) => write(`busy-${i}`, { organization: `org-${i}` }));
  const written = (id: string): PutOutcome => ({
    state: 'applied',
    identity: { id, createdAtMs: 1, createdBy: 'ada' },
    replaced: false,
  });
  const end = async (call: Alone | undefined) => {
    call?.resolve(written(call.key));
    await settled();
  };
  const endGroup = async (group: Together | undefined, outcomes?: Record<string, GroupedOutcome>) => {
    group?.resolve(group.keys.map((key) => outcomes?.[key] ?? written(key)));
    await settled();
  };
  const keysOf = (calls: readonly Alone[]) => calls.map(({ key }) => key);

  it('a put that meets no others has a statement of its own', async () => {
    const first = write('a');
    await end(alone[0]);
    await expect(first).resolves.toEqual(written('a'));
    void write('b');
    expect(alone).toMatchObject([{ key: 'a', timeoutMs: TIMEOUT_MS }, { key: 'b' }]);
    expect(together).toEqual([]);
  });

  it('what waits when a statement ends shares the next one, and each put has its own outcome', async () => {
    void busy();
    const [a, b, c] = [write('a'), write('b'), write('c')];
    await settled();
    expect(together).toEqual([]);
    await end(alone[0]);
    expect(together).toMatchObject([{ keys: ['a', 'b', 'c'], waits: false }]);
    await endGroup(together[0], { b: { state: 'superseded', version: 8 }, c: { state: 'task-missing' } });
    await expect(Promise.all([a, b, c])).resolves.toEqual([
      written('a'),
      { state: 'superseded', version: 8 },
      { state: 'task-missing' },
    ]);
  });

  it('the outcomes of many puts are told in several iterations, and the next statement waits for none of them', async () => {
    void busy();
    const told: string[] = [];
    const keys = Array.from({ length: 40 }, (_, i) => `k-${i}`);
    for (const key of keys) void write(key).then(() => told.push(key));
    await end(alone[0]);
    void write('later-1');
    void write('later-2');
    together[0]?.resolve(keys.map(written));
    // Promises go on within an iteration.
    await new Promise((resolve) => process.nextTick(resolve));
    await Promise.resolve();
    const toldAtOnce = told.length;
    expect(toldAtOnce).toBeLessThan(keys.length / 2);
    expect(together[1]?.keys).toEqual(['later-1', 'later-2']);
    for (let i = 0; i < keys.length; i++) await settled();
    expect(told).toEqual(keys);
  });

  it('each of few puts has a statement of its own, and many puts share few statements', async () => {
    start();
    for (let i = 0; i < 8; i++) void write(`few-${i}`);
    for (let i = 0; i < 24; i++) void write(`many-${i}`);
    expect(alone).toHaveLength(8);
    for (const call of alone.slice(0, 6)) await end(call);
    expect(together).toEqual([]);
    // Two statements are left, and now one.
    await end(alone[6]);
    expect(together[0]?.keys).toHaveLength(24);
    await end(alone[7]);
    for (let i = 0; i < 5; i++) void write(`more-${i}`);
    expect(together).toHaveLength(1);
    await settled();
    // Those that came in one iteration of the event loop, although a statement might have begun.
    expect(together[1]?.keys).toHaveLength(5);
    expect(alone).toHaveLength(8);
  });

  it('many puts share few statements also while they write again after one another', async () => {
    start();
    for (let i = 0; i < 9; i++) void write(`many-${i}`);
    for (const call of alone.slice()) await end(call);
    await end(alone[8]);
    const again = () => {
      for (let i = 0; i < 3; i++) void write(`again-${i}`);
    };
    again();
    await settled();
    expect(together.map(({ keys }) => keys)).toEqual([['again-0', 'again-1', 'again-2']]);
    await endGroup(together[0]);
    await pass(200);
    again();
    expect(keysOf(alone).slice(9)).toEqual(['again-0', 'again-1', 'again-2']);
  });

  it('puts that were given up while they waited do not count as many', async () => {
    start();
    for (let i = 0; i < 8; i++) void write(`few-${i}`, { timeoutMs: 100_000 });
    for (let i = 0; i < 24; i++) void write(`late-${i}`, { timeoutMs: 1 });
    await pass(1);
    for (const call of alone.slice(0, 8)) await end(call);
    await pass(200);
    for (let i = 0; i < 8; i++) void write(`later-${i}`);
    expect(keysOf(alone).slice(8)).toEqual(Array.from({ length: 8 }, (_, i) => `later-${i}`));
    expect(together).toEqual([]);
  });

  it('a put that is the only one to wait has a statement of its own', async () => {
    void busy();
    void write('a');
    await end(alone[0]);
    expect(alone[3]).toMatchObject({ key: 'a' });
    expect(together).toEqual([]);
  });

  it('a large body shares no statement, and waits for none', () => {
    void busy();
    void write('large', { bytes: 100_000 });
    expect(alone[3]).toMatchObject({ key: 'large' });
  });

  it('organisations take turns, however many puts of one wait before those of another', async () => {
    void busy();
    for (let i = 0; i < 200; i++) void write(`a${i}`, { organization: 'a' });
    void write('b0', { organization: 'b' });
    void write('c0', { organization: 'c' });
    await end(alone[0]);
    expect(together[0]?.keys.slice(0, 4)).toEqual(['a0', 'b0', 'c0', 'a1']);
    expect(together[0]?.keys).toHaveLength(64);
    void write('b1', { organization: 'b' });
    await end(alone[1]);
    expect(together[1]?.keys.slice(0, 3)).toEqual(['a62', 'b1', 'a63']);
  });

  it('puts of one key are in the order of their versions, and none follows one that expires', async () => {
    void busy();
    void write('k', { version: 10 });
    void write('k', { version: 12 });
    void write('k', { version: 12 });
    void write('k', { version: 8 });
    void write('k', { version: 14, expiresAtMs: 5 });
    void write('k', { version: 16 });
    void write('other', { version: 2 });
    await end(alone[0]);
    expect(together[0]?.keys).toEqual(['k', 'k', 'k', 'other']);
    await end(alone[1]);
    // 12 and 16 have waited, and 8, which is lower than 12, waits again.
    expect(together[1]?.keys).toEqual(['k', 'k']);
    await end(alone[2]);
    expect(keysOf(alone)).toEqual(['busy-0', 'busy-1', 'busy-2', 'k']);
  });

  it('statements that wait for a lock hold up other puts for no more than 5 ms', async () => {
    void busy();
    void write('a');
    await pass(4);
    expect(together).toEqual([]);
    await pass(1);
    // Without a lock to wait for, although it is by itself.
    expect(together).toMatchObject([{ keys: ['a'], waits: false }]);
    void write('b');
    void write('c');
    await pass(5);
    expect(together[1]).toMatchObject({ keys: ['b', 'c'] });
  });

  it('a put that its group leaves out is written alone; the others have their answers', async () => {
    void busy();
    const [a, b] = [write('a'), write('b')];
    await end(alone[0]);
    await pass(100);
    await endGroup(together[0], { a: { state: 'left-out' } });
    await expect(b).resolves.toEqual(written('b'));
    expect(alone[3]).toMatchObject({ key: 'a', timeoutMs: TIMEOUT_MS - 100 });
    await end(alone[3]);
    await expect(a).resolves.toEqual(written('a'));
  });

  it('puts whose task is held wait for it in one statement, and those that come meanwhile in the next', async () => {
    void busy();
    const held = { state: 'task-held' } as const;
    const other = write('other', { taskId: 'free' });
    for (const key of ['a', 'b']) void write(key);
    await end(alone[0]);
    await endGroup(together[0], { a: held, b: held });
    await expect(other).resolves.toEqual(written('other'));
    expect(together[1]).toMatchObject({ keys: ['a', 'b'], waits: true });

    for (const key of ['c', 'd', 'e']) void write(key);
    await end(alone[1]);
    await endGroup(together[2], { c: held, d: held });
    expect(together).toHaveLength(3);
    await endGroup(together[1]);
    expect(together[3]).toMatchObject({ keys: ['c', 'd'], waits: true });
    await endGroup(together[3]);
    expect(together).toHaveLength(4);
  });

  it('a put that is late for a lock has waited in vain: the server is not blamed, and its statement goes on', async () => {
    void busy();
    const held = { state: 'task-held' } as const;
    const late = [write('a'), write('b')];
    await end(alone[0]);
    await pass(TIMEOUT_MS - 500);
    await endGroup(together[0], { a: held, b: held });
    expect(together[1]).toMatchObject({ keys: ['a', 'b'], waits: true, timeoutMs: 2000 });
    const failures = Promise.allSettled(late);
    await pass(500);
    const busyError = new StoreError('postgres', 'busy');
    expect(await failures).toEqual([busyError, busyError].map((reason) => ({ status: 'rejected', reason })));
  });

  it('puts whose key is held wait for it in one statement, apart from those of another key', async () => {
    void busy();
    for (const version of [2, 4]) void write('a', { version });
    for (const version of [2, 4]) void write('b', { version });
    await end(alone[0]);
    together[0]?.resolve(together[0].keys.map(() => ({ state: 'key-held' })));
    await settled();
    expect(together.slice(1)).toMatchObject([
      { keys: ['a', 'a'], waits: true },
      { keys: ['b', 'b'], waits: true },
    ]);
  });

  it('a put that is the only one to wait for its task is written alone', async () => {
    void busy();
    void write('a');
    void write('b', { taskId: 'free' });
    await end(alone[0]);
    await endGroup(together[0], { a: { state: 'task-held' } });
    expect(alone[3]).toMatchObject({ key: 'a' });
    expect(together).toHaveLength(1);
  });

  it.each(['refused', 'failed'] as const)('puts of a group that is %s are written alone, each of them', async (why) => {
    void busy();
    const [a, b] = [write('a'), write('b')];
    await end(alone[0]);
    together[0]?.reject(new StoreError('postgres', why));
    await settled();
    expect(keysOf(alone.slice(3))).toEqual(['a', 'b']);
    alone[3]?.reject(new StoreError('postgres', 'refused'));
    await end(alone[4]);
    await expect(a).rejects.toEqual(new StoreError('postgres', 'refused'));
    await expect(b).resolves.toEqual(written('b'));
  });

  it.each(['unavailable', 'timeout', 'busy'] as const)(
    'a group that finds the store %s is one failure',
    async (why) => {
      void busy();
      const puts = [write('a'), write('b')];
      await end(alone[0]);
      const error = new StoreError('postgres', why);
      together[0]?.reject(error);
      const failures = await Promise.all(puts.map((put) => put.catch((reason: unknown) => reason)));
      expect(failures[0]).toBe(error);
      expect(failures[1]).toBe(error);
      expect(alone).toHaveLength(3);
    },
  );

  it('each put of a group has its own time limit; those that run out of it meet the same failure', async () => {
    void busy();
    const hurried = [write('a', { timeoutMs: 50 }), write('b', { timeoutMs: 60 })];
    const patient = write('c');
    await end(alone[0]);
    expect(together[0]?.timeoutMs).toBe(TIMEOUT_MS);
    await pass(50);
    await pass(10);
    const failures = await Promise.all(hurried.map((put) => put.catch((reason: unknown) => reason)));
    expect(failures[0]).toEqual(new StoreError('postgres', 'timeout'));
    expect(failures[1]).toBe(failures[0]);
    await endGroup(together[0]);
    await expect(patient).resolves.toEqual(written('c'));
  });

  it('a put whose time is over before its group leaves it out is not written', async () => {
    void busy();
    void write('a', { timeoutMs: 50 });
    void write('b');
    await end(alone[0]);
    await pass(50);
    await endGroup(together[0], { a: { state: 'left-out' }, b: { state: 'left-out' } });
    expect(keysOf(alone.slice(3))).toEqual(['b']);
  });

  it('a put that is given up while it waits is not written, and learns what it has waited for', async () => {
    void busy();
    const held = { state: 'task-held' } as const;
    for (const key of ['a', 'b']) void write(key);
    await end(alone[0]);
    await endGroup(together[0], { a: held, b: held });
    const late = write('c', { timeoutMs: 100 });
    void write('d');
    await end(alone[1]);
    await endGroup(together[2], { c: held, d: held });
    await pass(100);
    await expect(late).rejects.toEqual(new StoreError('postgres', 'busy'));
    await endGroup(together[1]);
    expect(keysOf(alone.slice(3))).toEqual(['d']);
  });

  it('leaves no timer behind', async () => {
    void busy();
    void write('a');
    void write('b');
    for (const call of [...alone]) await end(call);
    await endGroup(together[0]);
    expect(timers).toEqual([]);
  });
});
