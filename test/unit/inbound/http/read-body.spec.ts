import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { readBody } from '../../../../src/inbound/http/read-body';
import { Random } from '../../../simulation/random';

const KIB = 1024;

/** Resolves with the bytes, or with the problem. */
function read(body: PassThrough, maxBytes = 64 * KIB, hasRoom = (_bytes: number) => true) {
  return new Promise<Buffer | string | undefined>((resolve) => {
    readBody(body, 0, { maxBytes, hasRoom }, (error, bytes) => resolve(error ? error.problem : bytes));
  });
}
const small = (count: number, bytes = 1) => Array.from({ length: count }, (_, i) => Buffer.alloc(bytes, i));
function send(parts: readonly Buffer[]): PassThrough {
  const body = new PassThrough({ highWaterMark: 2 ** 30 });
  for (const part of parts) body.write(part);
  return body;
}

describe('a body', () => {
  it('is what was sent, whatever the sizes of its parts', async () => {
    const random = new Random(7);
    for (let i = 0; i < 50; i++) {
      const size = () => 1 + random.int(random.chance(0.5) ? 300 : 9000);
      const parts = Array.from({ length: 1 + random.int(20) }, (_, n) => Buffer.alloc(size(), n));
      expect(await read(send(parts).end(), 2 ** 20)).toEqual(Buffer.concat(parts));
    }
  });

  it('of one part is not copied', async () => {
    const part = Buffer.from('one');
    expect(await read(send([part]).end())).toBe(part);
  });

  it('without parts is empty', async () => {
    expect(await read(send([]).end())).toHaveLength(0);
  });

  it.each([[[1000, 24]], [[24, 1000]], [[1024]]])('of as many bytes as allowed is read: %j', async (sizes) => {
    expect(await read(send(sizes.map((size) => Buffer.alloc(size))).end(), KIB)).toHaveLength(KIB);
    expect(await read(send([...sizes, 1].map((size) => Buffer.alloc(size))).end(), KIB)).toBe('too large');
  });

  it('is refused when there is no room for its next part', async () => {
    const asked: number[] = [];
    const hasRoom = (bytes: number) => asked.push(bytes) < 3;
    expect(await read(send(small(5, 100)), KIB, hasRoom)).toBe('no room');
    expect(asked).toEqual([100, 100, 100]);
  });

  it('is refused when it breaks off', async () => {
    const body = send(small(1));
    body.destroy(new Error('aborted'));
    expect(await read(body)).toBe('broken off');
  });
});

describe('a body in small parts', () => {
  it('is read if there are not too many of them', async () => {
    const parts = small(500, 100);
    expect(await read(send(parts).end(), 64 * KIB)).toEqual(Buffer.concat(parts));
  });

  it('is refused if receiving them costs more than the largest body would, and the rest is not kept', async () => {
    const body = send(small(2000));
    expect(await read(body, 64 * KIB)).toBe('in pieces');
    body.end();
    await once(body, 'end');
    expect(body.readableLength).toBe(0);
  });

  it('may have some even if it must be short', async () => {
    expect(await read(send(small(200)).end(), 200)).toHaveLength(200);
  });

  it('ends the connection if it was refused before', async () => {
    const body = send([Buffer.alloc(KIB), ...small(2000)]);
    const closed = once(body, 'close');
    expect(await read(body, 500)).toBe('too large');
    await closed;
    expect(body.readableEnded).toBe(false);
  });

  it('takes little more memory than bytes', async () => {
    let largest = 0;
    const body = send(small(30_000));
    const concat = jest.spyOn(Buffer, 'concat').mockImplementation((parts) => {
      largest = parts.length;
      return Buffer.alloc(0);
    });
    try {
      await read(body.end(), 8 * KIB * KIB);
    } finally {
      concat.mockRestore();
    }
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(10);
  });
});
