import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DomainEvent } from '../../../../src/core/domain/domain-event';
import { blockOf, EventStream } from '../../../../src/inbound/http/event-stream';

const EVENT: DomainEvent = {
  type: 'task.created',
  payload: { text: 'x'.repeat(1000) + '\n' },
  metadata: { eventId: 'e' },
  timestamp: 1,
};
const PAGE = Array.from({ length: 200 }, (_, i) => blockOf({ event: EVENT, position: String(i) })).join('');
const never = new AbortController().signal;

describe('EventStream', () => {
  let close: () => void;
  afterEach(() => close());

  /** Both ends of one connection; the reader reads nothing until told. */
  async function connection(): Promise<[ServerResponse, IncomingMessage]> {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const arrival = new Promise<ServerResponse>((resolve) =>
      server.once('request', (_, response) => resolve(response)),
    );
    const request = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
    const answer = new Promise<IncomingMessage>((resolve) => request.once('response', resolve));
    request.on('error', () => undefined);
    close = () => {
      request.destroy();
      server.close();
      server.closeAllConnections();
    };
    const response = await arrival;
    await new EventStream(response, 1000).open('0', never);
    return [response, await answer];
  }

  /** As many pages as it takes until the reader is too slow. */
  async function flood(stream: EventStream, signal: AbortSignal): Promise<void> {
    for (let i = 0; i < 1000; i++) await stream.send(PAGE, signal);
  }

  it('a reader that takes nothing is given up before much has piled up', async () => {
    const [response] = await connection();
    await expect(flood(new EventStream(response, 100), never)).rejects.toMatchObject({ name: 'AbortError' });
    expect(response.writableLength).toBeLessThan(2 * PAGE.length);
  });

  it('the wait for a slow reader ends when the signal aborts', async () => {
    const [response] = await connection();
    const stopping = new AbortController();
    const flooding = flood(new EventStream(response, 60_000), stopping.signal);
    setImmediate(() => stopping.abort());
    await expect(flooding).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('the stream goes on when a slow reader has caught up', async () => {
    const [response, incoming] = await connection();
    let received = 0;
    setImmediate(() => incoming.on('data', (chunk: Buffer) => (received += chunk.length)));
    const stream = new EventStream(response, 5000);
    for (let i = 0; i < 50; i++) await stream.send(PAGE, never);
    expect(received).toBeGreaterThan(1_000_000);
  });
});
