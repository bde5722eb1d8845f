import { connect, createServer, type AddressInfo } from 'node:net';
import { lateTimer } from '../../../../src/outbound/system/late-timer';

const LIMIT_MS = 30;

/** As a stopped process does: everything waits. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('the limit to the time in which a reply must come', () => {
  it('is not believed before a reply is read that has arrived while the process was stopped', async () => {
    const server = createServer((socket) => socket.on('data', (data) => socket.write(data))).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const outcome = await new Promise<string>((resolve) => {
      const cancel = lateTimer(LIMIT_MS, () => resolve('silence'));
      socket.once('data', () => {
        cancel();
        resolve('reply');
      });
      socket.write('ping');
      stall(3 * LIMIT_MS);
    });
    socket.destroy();
    server.close();
    expect(outcome).toBe('reply');
  });

  it('comes if there is no reply, and not if it is cancelled', async () => {
    const onSilence = jest.fn();
    const cancel = lateTimer(LIMIT_MS, onSilence);
    cancel();
    await new Promise<void>((resolve) => lateTimer(2 * LIMIT_MS, resolve));
    expect(onSilence).not.toHaveBeenCalled();
  });

  it('can be cancelled until the loop has turned', async () => {
    const onSilence = jest.fn();
    const cancel = lateTimer(0, onSilence);
    setTimeout(cancel, 0);
    stall(5);
    await new Promise<void>((resolve) => lateTimer(LIMIT_MS, resolve));
    expect(onSilence).not.toHaveBeenCalled();
  });
});
