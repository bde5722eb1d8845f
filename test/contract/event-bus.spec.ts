import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection as NatsClient } from '@nats-io/transport-node';
import type { DomainEvent } from '../../src/core/domain/domain-event';
import { MemoryEventBus } from '../../src/outbound/memory/memory-event-bus';
import { NatsConnection } from '../../src/outbound/nats/nats-connection';
import { NatsEventBus } from '../../src/outbound/nats/nats-event-bus';
import { NatsNames } from '../../src/outbound/nats/nats-names';
import { atOnce } from '../support/at-once';
import { startNats, startNatsCluster, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { anEvent, describeEventBus, type EventBusHarness } from './event-bus.contract';

const warnings = jest.fn();

interface NatsHarness extends EventBusHarness {
  readonly bus: NatsEventBus;
  readonly connection: NatsConnection;
  readonly subscriber: NatsClient;
}

async function openNats(server: { url: string; stop(): Promise<void> }): Promise<NatsHarness> {
  const { url } = server;
  const connection = new NatsConnection({ url, clientName: 'test', onChange: () => undefined });
  connection.connect();
  const bus = new NatsEventBus({ client: connection.client, names: new NatsNames(), onPlain: warnings });
  const subscriber = await connect({ servers: url.split(','), maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  const received: DomainEvent[] = [];
  subscriber.subscribe('task.>', { callback: (_, message) => void received.push(message.json<DomainEvent>()) });
  await subscriber.flush();
  await connection.client;
  const close = async () => {
    await subscriber.close();
    await connection.close();
    await server.stop();
  };
  return { bus, connection, subscriber, received, close };
}

async function inMemory(): Promise<EventBusHarness> {
  const bus = new MemoryEventBus();
  const received: DomainEvent[] = [];
  const unsubscribe = bus.subscribe((event) => received.push(event));
  return Promise.resolve({ bus, received, close: () => Promise.resolve(unsubscribe()) });
}

describeEventBus('in memory', inMemory);
describeEventBus('on NATS with JetStream', async () => openNats(await startNats()));
describeEventBus('on NATS without JetStream', async () => openNats(await startNats({ jetStream: false })));
describeEventBus('on a cluster', async () => openNats(await startNatsCluster(3)));

describe('NatsEventBus', () => {
  let server: NatsServer;
  let harness: NatsHarness;
  beforeEach(() => warnings.mockReset());
  afterEach(() => harness?.close());

  const open = async (jetStream: boolean) => {
    server = await startNats({ jetStream });
    harness = await openNats(server);
  };
  const publishUntilTaken = (event: DomainEvent) => publishUntilTakenBy(harness.bus, event);
  const publishUntilTakenBy = (bus: NatsEventBus, event: DomainEvent) =>
    until('the event is taken', () =>
      bus.publish(event).then(
        () => true,
        () => false,
      ),
    );
  const streamInfo = async () => (await jetstreamManager(harness.subscriber)).streams.info('TASK_EVENTS');

  it('creates the stream, which captures events but no requests', async () => {
    await open(true);
    await harness.bus.publish(anEvent());
    const { config, state } = await streamInfo();
    expect(config).toMatchObject({ storage: 'file', retention: 'limits', duplicate_window: 120e9, num_replicas: 1 });
    expect(config.subjects).toContain('task.attachment.expired');
    expect(state.messages).toBe(1);
    harness.subscriber.publish('task.create', '{}');
    harness.subscriber.publish('task.create_attachment', '{}');
    await harness.subscriber.flush();
    expect((await streamInfo()).state.messages).toBe(1);
    expect(warnings).not.toHaveBeenCalled();
  });

  it('stores an event that is published twice only once', async () => {
    await open(true);
    const event = anEvent();
    await harness.bus.publish(event);
    await harness.bus.publish(event);
    expect((await streamInfo()).state.messages).toBe(1);
  });

  it('leaves a stream as its operator has set it', async () => {
    await open(true);
    const manager = await jetstreamManager(harness.subscriber);
    await manager.streams.add({ name: 'TASK_EVENTS', subjects: ['task.created'], max_msgs: 7 });
    await harness.bus.publish(anEvent());
    expect((await streamInfo()).config).toMatchObject({ subjects: ['task.created'], max_msgs: 7 });
  });

  it('names the subjects that the stream lacks, and publishes when it has them', async () => {
    await open(true);
    const manager = await jetstreamManager(harness.subscriber);
    await manager.streams.add({ name: 'TASK_EVENTS', subjects: ['task.attachment.*', 'task.attachment_created'] });
    await expect(harness.bus.publish(anEvent())).rejects.toThrow(
      'the stream TASK_EVENTS lacks the subjects task.created, task.updated, task.completed, task.cancelled, task.deleted',
    );
    expect(await harness.connection.unfitness(1000)).toMatch(
      /^the stream TASK_EVENTS lacks the subjects task\.created, /,
    );
    await manager.streams.update('TASK_EVENTS', { subjects: ['task.>'] });
    await harness.bus.publish(anEvent());
    expect(await harness.connection.unfitness(1000)).toBeUndefined();
  });

  it('publishes to subjects and a stream of its own under a prefix', async () => {
    await open(true);
    const { subscriber } = harness;
    const client = Promise.resolve(subscriber);
    const bus = new NatsEventBus({ client, names: new NatsNames('staging'), onPlain: warnings });
    await client;
    await publishUntilTakenBy(bus, anEvent());
    await harness.bus.publish(anEvent());
    const { streams } = await jetstreamManager(subscriber);
    const [own, other] = [await streams.info('staging-TASK_EVENTS'), await streamInfo()];
    expect(own.config.subjects).toContain('staging.task.created');
    expect([own.state.messages, other.state.messages]).toEqual([1, 1]);
    // It is asked about its subjects only after a failure. No subscriber listens here, so the server says so at once.
    await streams.update('staging-TASK_EVENTS', { subjects: ['staging.other'] });
    await expect(bus.publish(anEvent())).rejects.toThrow('the stream staging-TASK_EVENTS lacks the subjects staging.');
  });

  it('creates the stream again after its deletion', async () => {
    await open(true);
    await harness.bus.publish(anEvent());
    await (await jetstreamManager(harness.subscriber)).streams.delete('TASK_EVENTS');
    await publishUntilTaken(anEvent());
    expect((await streamInfo()).state.messages).toBe(1);
  });

  it('warns once if the server stores nothing, and sends the id nevertheless', async () => {
    await open(false);
    const ids: (string | undefined)[] = [];
    harness.subscriber.subscribe('task.created', {
      callback: (_, message) => void ids.push(message.headers?.get('Nats-Msg-Id')),
    });
    await harness.subscriber.flush();
    const events = [anEvent(), anEvent()];
    for (const event of events) await harness.bus.publish(event);
    await until('both arrive', () => ids.length === 2);
    expect(ids).toEqual(events.map(({ metadata }) => metadata.eventId));
    expect(warnings).toHaveBeenCalledTimes(1);
  });

  it('refuses at once while NATS is unavailable, and works when it is back', async () => {
    await open(true);
    await harness.bus.publish(anEvent());
    await server.kill();
    await until('it is refused', () =>
      harness.bus.publish(anEvent()).then(
        () => false,
        (error: Error) => error.message === 'not connected to NATS',
      ),
    );
    await expect(atOnce(harness.bus.publish(anEvent()))).rejects.toThrow('not connected to NATS');
    await server.restart();
    await publishUntilTaken(anEvent());
  });

  it('refuses before the first connection', async () => {
    await open(true);
    const bus = new NatsEventBus({ client: new Promise(() => undefined), names: new NatsNames(), onPlain: warnings });
    await expect(bus.publish(anEvent())).rejects.toThrow('not connected to NATS');
  });

  it('gives up on a server that no longer replies', async () => {
    await open(true);
    await harness.bus.publish(anEvent());
    server.pause();
    await expect(harness.bus.publish(anEvent())).rejects.toThrow();
    server.resume();
    await publishUntilTaken(anEvent());
  });

  it('goes on when a node of the cluster dies', async () => {
    const cluster = await startNatsCluster(3);
    harness = await openNats(cluster);
    await harness.bus.publish(anEvent());
    expect((await streamInfo()).config.num_replicas).toBe(3);
    await cluster.nodes[0]?.kill();
    const event = anEvent();
    await publishUntilTaken(event);
  });
});
