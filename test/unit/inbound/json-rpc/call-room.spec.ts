import { CallRoom } from '../../../../src/inbound/json-rpc/call-room';
import { ReplyBudget } from '../../../../src/inbound/json-rpc/reply-budget';
import { ByteBudget } from '../../../../src/inbound/load/byte-budget';

const MAX_REPLY_BYTES = 1_000_000;
const tooLarge = expect.objectContaining({
  data: expect.objectContaining({ code: 'REPLY_TOO_LARGE' }) as unknown,
}) as unknown;
const overloaded = expect.objectContaining({
  data: expect.objectContaining({ code: 'OVERLOADED' }) as unknown,
}) as unknown;

describe('CallRoom', () => {
  it('refuses bodies that the reply cannot carry before they are read, and takes nothing for them', () => {
    const bytes = new ByteBudget(10_000_000);
    const room = new CallRoom(new ReplyBudget(MAX_REPLY_BYTES), bytes.open('a'));
    expect(() => room.take(MAX_REPLY_BYTES + 1)).toThrow(tooLarge as Error);
    expect(bytes.open('b').take(6_250_000)).toBe(true);
  });

  it('the calls of a batch share what their reply can carry while they read', () => {
    const reply = new ReplyBudget(MAX_REPLY_BYTES, 2);
    const [first, second] = [new CallRoom(reply, undefined), new CallRoom(reply, undefined)];
    first.take(600_000);
    expect(() => second.take(600_000)).toThrow(tooLarge as Error);
    first.end();
    second.take(600_000);
  });

  it('what a call reads a second time, because the cache was not believed, is shown once', () => {
    const room = new CallRoom(new ReplyBudget(MAX_REPLY_BYTES), undefined);
    room.take(900_000);
    expect(() => room.take(900_000)).not.toThrow();
  });

  it('the call of one of many messages reads less without asking for room', () => {
    const guess = (isOneOfMany: boolean, bodies: number) =>
      new CallRoom(new ReplyBudget(MAX_REPLY_BYTES), undefined, isOneOfMany).guess(bodies);
    expect(guess(true, 1)).toBeLessThan(guess(false, 1));
    expect(guess(true, 1)).toBeGreaterThan(0);
    expect(guess(true, 20)).toBe(guess(false, 20));
  });

  it('refuses a call that finds no room in the process, and gives back what it took when it ends', () => {
    const bytes = new ByteBudget(1_000_000);
    const others = bytes.open('b');
    others.take(600_000);
    const room = new CallRoom(new ReplyBudget(MAX_REPLY_BYTES), bytes.open('a'));
    expect(() => room.take(150_000)).toThrow(overloaded as Error);
    room.take(100_000);
    room.end();
    others.end();
    expect(bytes.open('c').take(625_000)).toBe(true);
  });

  it('takes room for its part of the reply with what it reads, so that of several calls one can be shown', () => {
    const bytes = new ByteBudget(1_000_000);
    const room = () => new CallRoom(new ReplyBudget(MAX_REPLY_BYTES), bytes.open('a'));
    const [first, second] = [room(), room()];
    first.take(250_000);
    expect(() => second.take(250_000)).toThrow(overloaded as Error);
    second.end();
    bytes.open('b').take(300_000);
    first.show(260_000);
    first.end();
    expect(bytes.open('b').take(100_000)).toBe(true);
  });

  it('a result that finds no room is not shown', () => {
    const room = new CallRoom(new ReplyBudget(MAX_REPLY_BYTES), new ByteBudget(1_000_000).open('a'));
    room.take(250_000);
    expect(() => room.show(900_000)).toThrow(overloaded as Error);
  });

  it('takes room for what is not shown from the process alone, and gives it back with the rest', () => {
    const bytes = new ByteBudget(1_000_000);
    const reply = new ReplyBudget(1000);
    const room = new CallRoom(reply, bytes.open('a'));
    room.unshown.take(400_000);
    expect(room.unshown.guess(1)).toBe(64 * 1024);
    expect(() => room.unshown.take(200_000)).toThrow(overloaded as Error);
    room.take(1000);
    room.end();
    expect(bytes.open('a').take(625_000)).toBe(true);
  });

  it('guesses no more than the reply can carry', () => {
    const room = new CallRoom(new ReplyBudget(1000), undefined);
    expect(room.guess(1)).toBe(1000);
  });
});
