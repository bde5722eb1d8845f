import { LoadShedder } from '../../../../src/inbound/load/load-shedder';
import { MessagesInFlight } from '../../../../src/inbound/load/messages-in-flight';

describe('MessagesInFlight', () => {
  const open = (maxInFlight = 1) => {
    const load = new LoadShedder({ maxInFlight, maxEventLoopDelayMs: 1_000_000 });
    return { load, inFlight: new MessagesInFlight(load) };
  };
  const pending = () => {
    let end!: () => void;
    const promise = new Promise<void>((resolve) => (end = resolve));
    return { promise, end };
  };

  it('a message counts as load of the process until its reply is there', async () => {
    const { load, inFlight } = open();
    const message = pending();
    const tracked = inFlight.track(
      message.promise.then(() => 'answer'),
      'a',
    );
    expect(load.isOverloaded).toBe(true);
    message.end();
    expect(await tracked).toBe('answer');
    expect(load.isOverloaded).toBe(false);
  });

  it('a transport without messages in flight drains at once', async () => {
    const { inFlight } = open();
    await inFlight.track(Promise.resolve());
    await expect(inFlight.track(Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    await inFlight.drain();
  });

  it('a transport drains when its last message has its reply, even one that came in meanwhile', async () => {
    const { inFlight } = open();
    const [first, second] = [pending(), pending()];
    const events: string[] = [];
    void inFlight.track(first.promise, 'a');
    const drained = inFlight.drain().then(() => events.push('drained'));
    void inFlight.track(second.promise, 'a').then(() => events.push('second'));
    first.end();
    await first.promise;
    // Longer than it takes to notice the end of the first.
    await new Promise((resolve) => setImmediate(resolve));
    second.end();
    await drained;
    expect(events).toEqual(['second', 'drained']);
  });

  it('a transport does not wait for the messages of another one', async () => {
    const { load, inFlight } = open(2);
    const [other, message] = [new MessagesInFlight(load), pending()];
    void other.track(message.promise, 'a');
    await inFlight.drain();
    expect(load.isOverloaded).toBe(false);
    const drained = jest.fn();
    const draining = other.drain().then(drained);
    await new Promise((resolve) => setImmediate(resolve));
    expect(drained).not.toHaveBeenCalled();
    message.end();
    await draining;
  });
});
