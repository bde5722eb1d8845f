import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { dropBody, readBody } from '../../../../src/inbound/http/read-body';
import { until } from '../../../support/poll';
import { Random } from '../../../simulation/random';

const KIB = 1024;

/** Resolves with the bytes, or with the problem. */
function read(body: PassThrough, maxBytes = 64 * KIB, hasRoom = (_bytes: number) => true) {
  return new Promise<Buffer | string | undefined>((resolve) => {
    readBody(
      body,
      0,
      { maxBytes, hasRoom, mayGoOn: () => Promise.resolve(true), turn: () => undefined },
      (error, bytes) => resolve(error ? error.problem : bytes),
    );
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

describe('a connection that carries much', () => {
  const HEAD = 'POST / HTTP/1.1\r\nhost: a\r\n';
  /** What the operating system hands over at a time. */
  const MAX_AT_A_TIME = 64 * KIB;
  let server: Server;
  let client: Socket;
  let received = 0;
  let bodies = 0;
  let turns: (() => void)[];
  const dropped = jest.fn();

  beforeEach(async () => {
    [received, bodies] = [0, 0];
    turns = [];
    const turn = () => new Promise<void>((resolve) => turns.push(resolve));
    const hasRoom = (bytes: number) => (received += bytes) > 0;
    const bounds = { maxBytes: 2 ** 20, hasRoom, mayGoOn: () => Promise.resolve(true), turn };
    server = createServer((request, response) => {
      if (request.method === 'PUT') dropBody(request.on('data', dropped), 2 ** 24, turn);
      else readBody(request, 0, bounds, () => (bodies += 1));
      request.on('end', () => response.end());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
  });
  afterEach(() => {
    client.destroy();
    server.close();
  });
  const untilTurn = async (count: number) => {
    await until(`turn ${count}`, () => turns.length === count);
    for (let iteration = 0; iteration < 50; iteration++) await setImmediate();
    expect(turns).toHaveLength(count);
  };

  it('is not read further until it has its turn', async () => {
    client.write(`${HEAD}content-length: ${2 ** 20}\r\n\r\n`);
    client.write(Buffer.alloc(2 ** 20));
    for (let count = 1; received < 2 ** 20; count++) {
      const before = received;
      await untilTurn(count);
      expect(received - before).toBeGreaterThan(0);
      expect(received - before).toBeLessThanOrEqual(MAX_AT_A_TIME);
      turns.at(-1)?.();
      if (received < 2 ** 20) await until('it is read further', () => received > before);
    }
    await until('the body is whole', () => bodies === 1);
  });

  it('is not read further until it has its turn, although nothing of it is kept', async () => {
    client.write(`${HEAD}content-length: ${2 ** 21}\r\n\r\n`);
    client.write(Buffer.alloc(2 ** 21));
    await untilTurn(1);
    expect(bodies).toBe(0);
    for (let count = 1; client.bytesWritten - client.writableLength < 2 ** 21; count++) {
      await untilTurn(count);
      turns.at(-1)?.();
    }
    expect(received).toBeLessThanOrEqual(2 ** 20 + MAX_AT_A_TIME);
  });

  it('waits with the next request, too', async () => {
    client.write(`${HEAD}content-length: 20000\r\n\r\n`);
    client.write(Buffer.alloc(20_000));
    await untilTurn(1);
    expect(bodies).toBe(1);
    client.write(`${HEAD}content-length: 1\r\n\r\nx`);
    await untilTurn(1);
    expect(bodies).toBe(1);
    turns[0]?.();
    await until('the next one is read', () => bodies === 2);
  });

  it.each([
    ['frames of chunks', `1;${'x'.repeat(15 * KIB)}\r\nx\r\n`],
    ['chunks that are not quite small', `12c\r\n${'x'.repeat(300)}\r\n`.repeat(64)],
  ])('counts %s', async (_, chunks) => {
    client.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
    client.write(chunks.repeat(20));
    await untilTurn(1);
    expect(bodies).toBe(0);
  });

  it('is dropped in turns', async () => {
    client.write(`PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: ${2 ** 20}\r\n\r\n`);
    client.write(Buffer.alloc(2 ** 20));
    await untilTurn(1);
    expect(dropped).toHaveBeenCalled();
  });
});

describe('a connection that carries small parts', () => {
  /** What the operating system hands over at a time, in parts of one byte. */
  const MAX_AT_A_TIME = (64 * KIB) / '1\r\nx\r\n'.length + 1;
  const PARTS = 40_000;
  let server: Server;
  let client: Socket;
  let received: number;
  let outcomes: number;
  let paused: { readonly parts: number; readonly end: (mayGoOn: boolean) => void }[];
  let outcome: Promise<Buffer | string | undefined>;

  beforeEach(async () => {
    received = 0;
    outcomes = 0;
    paused = [];
    const hasRoom = (bytes: number) => (received += bytes) > 0;
    const mayGoOn = (parts: number) => new Promise<boolean>((end) => paused.push({ parts, end }));
    server = createServer();
    outcome = new Promise((resolve) => {
      server.on('request', (request) =>
        readBody(request, 0, { maxBytes: 2 ** 24, hasRoom, mayGoOn, turn: () => undefined }, (error, bytes) => {
          outcomes += 1;
          resolve(error ? error.problem : bytes);
        }),
      );
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
    client.write('POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
  });
  const sendParts = (count: number) => client.write('1\r\nx\r\n'.repeat(count) + '0\r\n\r\n');
  afterEach(() => {
    client.destroy();
    server.close();
  });
  const untilPaused = (times: number) => until(`pause ${times}`, () => paused.length === times);

  it('is not read until its sender may go on', async () => {
    sendParts(PARTS);
    for (let pause = 1; received < PARTS; pause++) {
      const before = received;
      await untilPaused(pause);
      expect(received - before).toBeLessThanOrEqual(MAX_AT_A_TIME);
      expect(paused.at(-1)?.parts).toBe(received - before);
      for (let turn = 0; turn < 50; turn++) await setImmediate();
      expect(received - before).toBeLessThanOrEqual(MAX_AT_A_TIME);
      paused.at(-1)?.end(true);
    }
    expect(Buffer.alloc(PARTS, 'x').equals((await outcome) as Buffer)).toBe(true);
  });

  it('is ended if its sender goes on although there is no time for it', async () => {
    sendParts(PARTS);
    await untilPaused(1);
    paused[0]?.end(false);
    expect(await outcome).toBe('no room');
    await untilPaused(2);
    const closed = new Promise((resolve) => client.once('close', resolve));
    paused[1]?.end(false);
    await closed;
  });

  it('goes on with the next request if a body was complete when there was no more time for it', async () => {
    sendParts(1000);
    client.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\ny');
    expect(await outcome).toHaveLength(1000);
    await untilPaused(1);
    paused[0]?.end(false);
    await until('the next body', () => received === 1001);
    expect(outcomes).toBe(2);
  });
});
