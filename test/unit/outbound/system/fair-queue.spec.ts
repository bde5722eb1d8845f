import { FairQueue, type Shares } from '../../../../src/outbound/system/fair-queue';

const NEVER_MS = 60_000;

describe('FairQueue', () => {
  /** Enters without waiting for a place; `entered` gets the owner when there is one. */
  const open = (places: number, maxWaiting?: number, shares?: Shares) => {
    const queue = new FairQueue(places, maxWaiting, shares);
    const entered: string[] = [];
    const leave: (() => void)[] = [];
    const enter = (owner: string) =>
      void queue.enter(owner, NEVER_MS).then((left) => {
        entered.push(owner);
        if (left) leave.push(left);
      });
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    return { queue, entered, leave, enter, settled };
  };
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate'] }));
  afterEach(() => jest.useRealTimers());

  it('an owner that wants all places leaves some of them to the next owner, which need not wait', async () => {
    const { entered, enter, settled } = open(8);
    for (let i = 0; i < 100; i++) enter('a');
    enter('b');
    await settled();
    expect(entered).toEqual([...Array<string>(6).fill('a'), 'b']);
  });

  it('several places that are given back let in all that find one, also if some had taken more than were free', async () => {
    const { queue, entered, enter, settled } = open(8);
    const leaveSix = await queue.enter('a', NEVER_MS, 6);
    const leaveFour = await queue.enter('b', NEVER_MS, 4);
    for (const owner of ['b', 'b', 'c', 'd']) enter(owner);
    await settled();
    expect(entered).toEqual([]);
    leaveFour?.();
    await settled();
    expect(entered).toEqual(['b', 'c']);
    leaveSix?.();
    await settled();
    expect(entered).toEqual(['b', 'c', 'd', 'b']);
  });

  it('a free place goes to the owner with the fewest places, however many wait before', async () => {
    const { entered, leave, enter, settled } = open(4);
    for (let i = 0; i < 100; i++) enter('a');
    enter('b');
    enter('b');
    await settled();
    expect(entered).toEqual(['a', 'a', 'a', 'b']);
    leave[0]?.();
    await settled();
    expect(entered.slice(4)).toEqual(['b']);
  });

  it('owners with as many places take turns', async () => {
    const { entered, leave, enter, settled } = open(1);
    enter('a');
    for (const owner of ['a', 'a', 'b', 'b', 'c']) enter(owner);
    for (let i = 0; i < 5; i++) {
      await settled();
      leave[i]?.();
    }
    await settled();
    expect(entered).toEqual(['a', 'a', 'b', 'c', 'a', 'b']);
  });

  it('the only owner of a single place has it', async () => {
    const { entered, enter, settled } = open(1);
    enter('a');
    await settled();
    expect(entered).toEqual(['a']);
  });

  it('an owner that finds no place in time gets none later, and does not hold up the others', async () => {
    const { queue, entered, leave, enter, settled } = open(1);
    enter('a');
    await settled();
    const late = queue.enter('b', 100);
    jest.advanceTimersByTime(100);
    await expect(late).resolves.toBeUndefined();
    enter('c');
    leave[0]?.();
    await settled();
    expect(entered).toEqual(['a', 'c']);
  });

  it('an owner that fills its share of the room to wait leaves room to the next ones, which are served first', async () => {
    const { queue, entered, leave, enter, settled } = open(1, 8);
    for (let i = 0; i < 5; i++) enter('a');
    expect(queue.isOpenTo('a')).toBe(false);
    for (const owner of ['b', 'b', 'c']) {
      expect(queue.isOpenTo(owner)).toBe(true);
      enter(owner);
    }
    expect(queue.isOpenTo('b')).toBe(false);
    for (let i = 0; i < 3; i++) {
      await settled();
      leave[i]?.();
    }
    await settled();
    expect(entered).toEqual(['a', 'a', 'b', 'c']);
    expect(queue.isOpenTo('a')).toBe(true);
  });

  it('no owner has room to wait if all of it is taken, and those that have given up leave theirs', async () => {
    const { queue, enter } = open(1, 2);
    enter('a');
    const waiting = ['a', 'b'].map((owner) => queue.enter(owner, 100));
    expect(['a', 'b', 'c'].map((owner) => queue.isOpenTo(owner))).toEqual([false, false, false]);
    jest.advanceTimersByTime(100);
    await expect(Promise.all(waiting)).resolves.toEqual([undefined, undefined]);
    expect(queue.isOpenTo('c')).toBe(true);
  });

  it('while others come an owner has no more than its share, and as many as before a second after the last one', async () => {
    const { entered, leave, enter, settled } = open(16, undefined, { part: 1 / 4, ofAll: '' });
    for (let i = 0; i < 20; i++) enter('a');
    await settled();
    expect(entered).toHaveLength(12);
    enter('b');
    enter('a');
    for (const left of leave.splice(0, 8)) left();
    await settled();
    // Four of the first ones are left, and `b`.
    expect(entered).toHaveLength(13);
    leave.shift()?.();
    await settled();
    expect(entered).toHaveLength(14);
    jest.advanceTimersByTime(1000);
    leave.shift()?.();
    await settled();
    expect(entered).toHaveLength(14 + 8);
  });

  it('who stands for all has no share, and does not count as another owner', async () => {
    const { entered, enter, settled } = open(16, undefined, { part: 1 / 4, ofAll: '' });
    for (let i = 0; i < 12; i++) {
      enter('a');
      enter('');
    }
    await settled();
    expect(entered.filter((owner) => owner === 'a')).toHaveLength(8);
    expect(entered.filter((owner) => owner === '')).toHaveLength(8);
  });

  it.each([
    [1, 1],
    [3, 2],
    [8, 2],
    [16, 4],
  ])('of %d places the share of an owner is %d', async (places, share) => {
    const { leave, entered, enter, settled } = open(places, undefined, { part: 1 / 4, ofAll: '' });
    enter('b');
    await settled();
    leave.shift()?.();
    for (let i = 0; i < places; i++) enter('a');
    await settled();
    expect(entered.slice(1)).toHaveLength(share);
  });
});
