import { connect, type NatsConnection as NatsClient } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import type { DomainEvent } from '../../src/core/domain/domain-event';
import { EventReader } from '../support/event-reader';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { openConnection } from '../support/raw-http';
import { createRuntimeDatabase } from '../support/runtime-database';
import { startService, type Service } from '../support/service';
import { SETUPS, type Setup } from '../support/setups';

const TAKEOVER_MS = 5000;

const taskIdOf = ({ payload }: DomainEvent) => (payload['taskId'] ?? payload['id']) as string;
const text = (taskId: string, key: string, more = {}) => ({ taskId, key, type: 'text', content: 'x', ...more });

describe('events on NATS', () => {
  let postgres: PostgresServer;
  let nats: NatsServer;
  let subscriber: NatsClient;
  let received: DomainEvent[];
  let replicas: Service[];
  /** The network between the first replica and NATS. */
  let toNats: FaultProxy;

  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres?.stop());
  beforeEach(() => {
    replicas = [];
    received = [];
  });
  afterEach(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await subscriber?.close();
    await toNats?.close();
    await nats?.stop();
  });

  async function open(count: number, { jetStream = true } = {}): Promise<void> {
    nats = await startNats({ jetStream });
    toNats = await startFaultProxy(nats.port);
    subscriber = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    for (const subject of ['task.*', 'task.attachment.*']) {
      subscriber.subscribe(subject, {
        callback: (_, message) => {
          const body = message.json<Partial<DomainEvent>>();
          if (body.metadata) received.push(body as DomainEvent);
        },
      });
    }
    await subscriber.flush();
    const { url: databaseUrl } = await createRuntimeDatabase(postgres);
    for (let nth = 1; nth <= count; nth++) {
      const natsUrl = nth === 1 ? `nats://127.0.0.1:${toNats.port}` : nats.url;
      const environment = { DATABASE_URL: databaseUrl, NATS_URL: natsUrl, INSTANCE_ID: `instance-${nth}` };
      replicas.push(await startService(environment));
    }
  }

  const isAnnounced = (...taskIds: string[]) =>
    until(
      'every task is announced',
      () => taskIds.every((id) => received.some((event) => taskIdOf(event) === id)),
      15_000,
    );
  /** Subscribers receive an event before its acknowledgement reaches the replica, which counts it only then. */
  const hasPublished = (replica: Service, tasks: number) =>
    until('the replica that leads has counted the events', async () =>
      (await replica.fetch('/metrics')).text.includes(`dossier_events_published_total{type="task.created"} ${tasks}\n`),
    );
  const idsOf = (events: readonly DomainEvent[]) => events.map(({ metadata }) => metadata.eventId);

  /** An event is sent again if its acknowledgement comes too late. */
  const firstDeliveries = (events: readonly DomainEvent[]) => {
    const ids = idsOf(events);
    return events.filter((_, at) => ids.indexOf(ids[at] as string) === at);
  };

  /** Versions of each key must rise. Only the first delivery of each event counts. */
  function expectOrder(events: readonly DomainEvent[]): void {
    const versions = new Map<string, number>();
    for (const event of firstDeliveries(events)) {
      const { version } = event.metadata as { version?: number };
      if (version === undefined) continue;
      const name = `${taskIdOf(event)}/${String(event.payload['key'])}`;
      expect(version).toBeGreaterThan(versions.get(name) ?? 0);
      versions.set(name, version);
    }
  }

  /** Overwrites attachments of some tasks through the given replicas; resolves with the acknowledged versions. */
  async function overwrite(count: number, through: readonly Service[], taskIds: readonly string[]): Promise<number[]> {
    const versions: number[] = [];
    let next = 0;
    const writer = async (writerIndex: number) => {
      for (let i = next++; i < count; i = next++) {
        const service = through[writerIndex % through.length] as Service;
        const taskId = taskIds[i % taskIds.length] as string;
        try {
          versions.push(
            (await service.result<{ version: number }>('task.create_attachment', text(taskId, `k${i % 3}`))).version,
          );
        } catch {
          // The replica is dead: a write that it did not acknowledge need not be announced.
        }
      }
    };
    await Promise.all([0, 1, 2, 3].map(writer));
    return versions;
  }

  it('arrive in order and once each while two replicas write', async () => {
    await open(2);
    const [first, second] = replicas as [Service, Service];
    for (const id of ['a', 'b']) await first.result('task.create', { id, text: 'x' });
    const versions = await overwrite(300, replicas, ['a', 'b']);
    expect(versions).toHaveLength(300);
    for (const id of ['a', 'b']) await second.result('task.delete', { id });
    const distinct = () => new Set(idsOf(received)).size;
    await until('all are announced', () => distinct() >= 304, 15_000);

    expect(distinct()).toBe(304);
    // An event whose acknowledgement comes too late is sent again, with the same id: the stream has it once.
    const { state } = await (await jetstreamManager(subscriber)).streams.info('TASK_EVENTS');
    expect(state.messages).toBe(304);
    expectOrder(received);
    for (const id of ['a', 'b']) {
      const ofTask = firstDeliveries(received).filter((event) => taskIdOf(event) === id);
      const types = ofTask.map(({ type }) => type);
      expect([types[0], types.at(-1)]).toEqual(['task.created', 'task.deleted']);
    }
  });

  it('continue within five seconds after the publishing replica dies, and none is lost', async () => {
    await open(2);
    const [leader, other] = replicas as [Service, Service];
    await leader.result('task.create', { id: 'a', text: 'x' });
    await isAnnounced('a');
    await hasPublished(leader, 1);

    const writing = overwrite(400, [leader, other], ['a']);
    await until('events flow', () => received.length > 50);
    await leader.kill();
    const versions = await writing;
    await other.result('task.create', { id: 'after', text: 'x' });
    await until('the other publishes', () => received.some((event) => taskIdOf(event) === 'after'), TAKEOVER_MS);

    // Tasks do not wait for each other: the backlog of this task may still be in transit.
    const missing = () => {
      const announced = new Set(received.map(({ metadata }) => metadata['version']));
      return versions.filter((version) => !announced.has(version));
    };
    await until('the backlog is announced', () => missing().length === 0);
    expectOrder(received);
    const { state } = await (await jetstreamManager(subscriber)).streams.info('TASK_EVENTS');
    expect(state.messages).toBe(new Set(idsOf(received)).size);
  });

  it.each<[string, (network: FaultProxy) => void]>([
    ['breaks', (network) => network.cut()],
    ['falls silent', (network) => network.silence('both')],
    ['loses every acknowledgement', (network) => network.silence('replies')],
  ])('are published by another replica if the connection of the publishing one to NATS %s', async (_, fail) => {
    await open(2);
    const [first, other] = replicas as [Service, Service];
    for (const id of ['a', 'b']) await other.result('task.create', { id, text: 'x' });
    await isAnnounced('a', 'b');
    await hasPublished(first, 2);

    fail(toNats);
    const versions = await overwrite(60, replicas, ['a', 'b']);
    expect(versions).toHaveLength(60);
    const isComplete = () => {
      const announced = new Set(received.map(({ metadata }) => metadata['version']));
      return versions.every((version) => announced.has(version));
    };
    await until('the other publishes', isComplete, TAKEOVER_MS);

    // Events that the first replica sent earlier may arrive only now.
    toNats.pass();
    await until('the first is back', async () => (await first.fetch('/readyz')).text.includes('"nats":{"status":"up"'));
    await other.kill();
    await first.result('task.create', { id: 'after', text: 'x' });
    await until('the first publishes', () => received.some((event) => taskIdOf(event) === 'after'), TAKEOVER_MS);
    expectOrder(received);
    const { state } = await (await jetstreamManager(subscriber)).streams.info('TASK_EVENTS');
    expect(state.messages).toBe(63);
  });

  it('wait while NATS is unavailable, and the service keeps working', async () => {
    await open(1);
    const [service] = replicas as [Service];
    await service.result('task.create', { id: 'a', text: 'x' });
    await isAnnounced('a');
    await nats.kill();
    for (let i = 0; i < 20; i++) await service.result('task.create_attachment', text('a', `k${i}`));
    const waiting = async () => /dossier_outbox_unpublished (\d+)/.exec((await service.fetch('/metrics')).text)?.[1];
    await until('the alert shows', async () => (await waiting()) === '20');
    expect(received).toHaveLength(1);
    expect((await service.fetch('/readyz')).status).toBe(200);

    await nats.restart();
    await until('all are announced', () => received.length >= 21, 15_000);
    expect(received.slice(1).map(({ payload }) => payload['key'])).toEqual(
      Array.from({ length: 20 }, (_, i) => `k${i}`),
    );
    await until('the alert is over', async () => (await waiting()) === '0');
  });

  it('wait if the stream of the operator lacks their subjects, and log, readiness and metrics name the cause', async () => {
    await open(0);
    const { streams } = await jetstreamManager(subscriber);
    await streams.add({ name: 'TASK_EVENTS', subjects: ['task.updated'] });
    const environment = { DATABASE_URL: await postgres.createDatabase(), NATS_URL: nats.url };
    for (const INSTANCE_ID of ['one', 'two']) replicas.push(await startService({ ...environment, INSTANCE_ID }));
    const [one, two] = replicas as [Service, Service];
    await one.result('task.create', { id: 'a', text: 'x' });
    const cause = /the stream TASK_EVENTS lacks the subjects task\.attachment_created, [^"]*task\.created/;
    await until('the log names it', () =>
      replicas.some(({ logLines }) => logLines.some((line) => line.includes('publish events') && cause.test(line))),
    );
    for (const replica of replicas) {
      const { status, text: details } = await until('readiness names it', async () => {
        const reply = await replica.fetch('/readyz');
        return cause.test(reply.text) && reply;
      });
      expect([status, JSON.parse(details)]).toMatchObject([
        200,
        { details: { nats: { status: 'degraded', state: 'up' } } },
      ]);
    }
    const sampleOf = async (replica: Service, name: string) =>
      Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await replica.fetch('/metrics')).text)?.[1]);
    const totalOf = async (name: string) => (await sampleOf(one, name)) + (await sampleOf(two, name));
    expect(await totalOf('dossier_publish_failures_total')).toBeGreaterThan(0);
    expect(replicas.flatMap(({ logLines }) => logLines).join()).not.toMatch(/jetstream is not enabled/i);

    await streams.update('TASK_EVENTS', { subjects: ['task.*', 'task.attachment.*'] });
    await until('it is stored', async () => (await streams.info('TASK_EVENTS')).state.messages > 0);
    await until('one of them publishes', async () => (await totalOf('dossier_publisher_leader')) === 1);
    const leader = (await sampleOf(one, 'dossier_publisher_leader')) === 1 ? one : two;
    await leader.kill();
    const next = leader === one ? two : one;
    await until('the other one publishes', async () => (await sampleOf(next, 'dossier_publisher_leader')) === 1);
  });

  it('are sent without JetStream, with one warning, if the server does not enable it', async () => {
    await open(1, { jetStream: false });
    const [service] = replicas as [Service];
    for (const id of ['a', 'b', 'c']) await service.result('task.create', { id, text: 'x' });
    await isAnnounced('a', 'b', 'c');
    expect(service.logLines.filter((line) => line.includes('JETSTREAM'))).toHaveLength(1);
  });

  it('announce each expiry once, even if several replicas sweep', async () => {
    await open(2);
    const [service] = replicas as [Service];
    await service.result('task.create', { id: 'a', text: 'x' });
    const keys = Array.from({ length: 10 }, (_, i) => `k${i}`);
    for (const key of keys) await service.result('task.create_attachment', text('a', key, { ttlSeconds: 1 }));
    await service.result('task.create_attachment', text('a', 'stays'));
    const expired = () => received.filter(({ type }) => type === 'task.attachment.expired');
    await until('all expiries are announced', () => expired().length >= keys.length, 15_000);
    expect(
      expired()
        .map(({ payload }) => payload['key'])
        .sort(),
    ).toEqual(keys);
    expect(await service.result('task.list_attachments', { taskId: 'a' })).toMatchObject({ totalCount: 1 });
  });

  it('can be followed over HTTP on a replica that does not publish', async () => {
    await open(2);
    const [service, other] = replicas as [Service, Service];
    const reader = await EventReader.open(other.url);
    await service.result('task.create', { id: 'a', text: 'x' });
    const [event] = await reader.events(1);
    expect(event?.data).toMatchObject({ type: 'task.created', payload: { id: 'a' } });
    reader.close();
  });
});

describe('GET /events of the embedded service', () => {
  let setup: Setup;
  let reader: EventReader | undefined;
  beforeAll(async () => {
    setup = await (SETUPS[0] as (typeof SETUPS)[number]).open();
  });
  afterAll(() => setup?.close());
  afterEach(() => reader?.close());

  const create = (id: string) => setup.service.result('task.create', { id, text: 'x' });
  const attach = (taskId: string, key: string) => setup.service.result('task.create_attachment', text(taskId, key));
  const keys = (events: readonly { data: DomainEvent }[]) => events.map(({ data }) => data.payload['key']);

  it('sends the events from now on, with the event type as the name', async () => {
    await create('before');
    reader = await EventReader.open(setup.service.url);
    expect(reader.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    await create('now');
    const [event] = await reader.events(1);
    expect(event).toMatchObject({ name: 'task.created', data: { type: 'task.created', payload: { id: 'now' } } });
  });

  it('disconnects a reader whose second stream waits behind the first on one connection', async () => {
    const request = (query = '') => `GET /events${query} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
    const socket = (await openConnection(setup.service.url)).setTimeout(0);
    let received = '';
    socket.on('data', (chunk) => (received += String(chunk)));
    socket.write(request());
    const position = () => /^id: (\S+)$/m.exec(received)?.[1];
    await until('the first stream is open', () => position());
    const large = { text: '€'.repeat(500) };
    const tasks = Array.from({ length: 100 }, (_, id) => ({
      jsonrpc: '2.0',
      method: 'task.create',
      params: large,
      id,
    }));
    await setup.service.post(JSON.stringify(tasks));
    socket.write(request(`?lastEventId=${position()}`));
    await until('the connection is closed', () => socket.closed, 20_000);
  });

  it('sends the events of one task if the query names it', async () => {
    await create('one');
    await create('two');
    reader = await EventReader.open(setup.service.url, { query: '?taskId=two' });
    await attach('one', 'k1');
    await attach('two', 'k2');
    await attach('one', 'k3');
    await attach('two', 'k4');
    expect(keys(await reader.events(2))).toEqual(['k2', 'k4']);
  });

  it('sends the events of a task and its sub-tasks if the query names it as the parent', async () => {
    const createBelow = (id: string, parentId: string) =>
      setup.service.result('task.create', { id, text: 'x', parentId });
    await create('root');
    reader = await EventReader.open(setup.service.url, { query: '?parentId=root' });
    await createBelow('child', 'root');
    await createBelow('grandchild', 'child');
    await create('stranger');
    await attach('grandchild', 'k');
    await setup.service.result('task.delete', { id: 'root' });
    const events = await reader.events(6);
    expect(events.map(({ name, data }) => [name, taskIdOf(data)])).toEqual([
      ['task.created', 'child'],
      ['task.created', 'grandchild'],
      ['task.attachment_created', 'grandchild'],
      ['task.deleted', 'root'],
      ['task.deleted', 'child'],
      ['task.deleted', 'grandchild'],
    ]);
    expect(events[0]?.data.payload['parentId']).toBe('root');
  });

  it('resumes after any event, even after a restart', async () => {
    await create('resumed');
    reader = await EventReader.open(setup.service.url, { query: '?taskId=resumed' });
    const before = reader.lastEventId as string;
    for (const key of ['a', 'b', 'c']) await attach('resumed', key);
    const seen = await reader.events(3);
    reader.close();

    await setup.service.stop();
    await setup.startAgain();
    await attach('resumed', 'd');
    const lastEventIds = [before, ...seen.map(({ id }) => id)];
    const expected = ['a', 'b', 'c', 'd'];
    for (const [i, lastEventId] of lastEventIds.entries()) {
      reader = await EventReader.open(setup.service.url, { query: '?taskId=resumed', lastEventId });
      expect(keys(await reader.events(4 - i))).toEqual(expected.slice(i));
      reader.close();
    }
    reader = await EventReader.open(setup.service.url, { query: `?lastEventId=${encodeURIComponent(before)}` });
    expect(keys(await reader.events(4))).toEqual(expected);
  });

  it('begins with the id that the reader gave: it may disconnect before the events that follow', async () => {
    await create('given');
    reader = await EventReader.open(setup.service.url, { query: '?taskId=given' });
    const given = reader.lastEventId as string;
    await attach('given', 'k');
    await reader.events(1);
    const { body } = await fetch(`${setup.service.url}/events?taskId=given`, { headers: { 'last-event-id': given } });
    let received = '';
    for await (const chunk of body as ReadableStream<Uint8Array>) {
      received += Buffer.from(chunk).toString();
      if (received.includes('data: ')) break;
    }
    expect(received.split('\n\n')[0]).toBe(`: following\nid: ${given}`);
  });

  it.each([
    ['?taskId=a%2Fb', 'taskId'],
    ['?taskId=a&taskId=b', 'taskId'],
    ['?parentId=a%2Fb', 'parentId'],
    ['?taskId=a&parentId=b', 'parentId'],
    ['?lastEventId=nonsense', 'lastEventId'],
    ['?taksId=a', 'taksId'],
  ])('refuses the query %s', async (query, field) => {
    const { status, text: body } = await setup.service.fetch(`/events${query}`);
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ detail: [{ loc: ['query', field] }] });
  });

  it('ends when the service stops', async () => {
    reader = await EventReader.open(setup.service.url);
    await expect(setup.service.stop()).resolves.toBe(0);
    await reader.ended;
    await setup.startAgain();
  });
});
