import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startService, type Service } from '../support/service';
import { untilServedOverNats } from '../support/until-served-over-nats';

/** Seconds of work for the service; the server holds them for it meanwhile. */
const REQUESTS = 60_000;
/** A busy machine takes far longer than seconds for them. */
const RECEIVED_WITHIN_MS = 200_000;
/** The next event of a task goes out when the server has acknowledged the one before. */
const EVENTS = 3;

let nats: NatsServer;
let service: Service;
let [caller, subscriber]: NatsConnection[] = [];

beforeAll(async () => {
  nats = await startNats();
  service = await startService({ NATS_URL: nats.url });
  [caller, subscriber] = [await connect({ servers: nats.url }), await connect({ servers: nats.url })];
  await untilServedOverNats(nats.url);
});
afterAll(async () => {
  await caller?.close();
  await subscriber?.close();
  await service?.stop();
  await nats?.stop();
});

describe('events, while requests wait in the NATS server', () => {
  it('are published before these requests are all received', async () => {
    const { id: taskId } = await service.result<{ id: string }>('task.create', { text: 'beside a flood' });
    const order: string[] = [];
    subscriber?.subscribe('task.attachment_created', { callback: () => void order.push('event') });
    await subscriber?.flush();

    for (let i = 0; i < REQUESTS; i++) caller?.publish('task.get', '{"id":"none"}', { reply: '_INBOX.nobody' });
    await caller?.flush();
    const received = until('the requests are received', () => isFound(caller), RECEIVED_WITHIN_MS).then(() =>
      order.push('received'),
    );
    for (let i = 0; i < EVENTS; i++) {
      await service.result('task.create_attachment', { taskId, key: `${i}`, type: 'text', content: 'c' });
    }
    await received;
    await until('all events are there', () => order.length > EVENTS);

    expect(order).toEqual([...Array<string>(EVENTS).fill('event'), 'received']);
  });
});

/** The service takes the question after all requests that were sent before it, unless the connection is closed. */
async function isFound(client?: NatsConnection): Promise<boolean> {
  const reply = client?.request('$SRV.PING.dossier', '', { timeout: 20_000 });
  return (await reply?.catch(() => undefined)) !== undefined;
}
