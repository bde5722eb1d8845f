import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Client } from 'pg';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { createRuntimeDatabase } from '../support/runtime-database';
import { startService, type HttpReply, type RpcReply, type Service } from '../support/service';

const PING = JSON.stringify({ jsonrpc: '2.0', method: 'task.get', params: { id: 'missing' }, id: 1 });
const OVERLOADED = {
  code: -32001,
  message: 'Service unavailable',
  data: { code: 'OVERLOADED', reason: 'Overloaded', retryable: true },
};
const OPERATIONS = ['/livez', '/readyz', '/startupz', '/metrics'];

const isShed = ({ status }: HttpReply) => status === 503;

async function expectOperationsToAnswer(service: Service): Promise<void> {
  const replies = await Promise.all(OPERATIONS.map((path) => service.fetch(path)));
  expect(replies.map(({ status }) => status)).toEqual(OPERATIONS.map(() => 200));
}

/** One for each call: those of one task would wait for each other in the service. */
const LOCKED = ['locked-1', 'locked-2'];

describe('load shedding by the number of calls in flight', () => {
  let postgres: PostgresServer;
  let nats: NatsServer;
  let service: Service;
  let client: NatsConnection;
  let lock: Client;
  let waiting: Promise<unknown>[];

  beforeAll(async () => {
    [postgres, nats] = await Promise.all([startPostgres(), startNats({ jetStream: false })]);
    const { url, adminUrl } = await createRuntimeDatabase(postgres);
    const environment = { DATABASE_URL: url, NATS_URL: nats.url, MAX_IN_FLIGHT: '2' };
    [service, client] = await Promise.all([startService(environment), connect({ servers: nats.url })]);
    for (const id of LOCKED) await service.result('task.create', { id, text: 'x' });
    lock = new Client({ connectionString: adminUrl });
    await lock.connect();
    await until('the service listens to NATS', () => requestOverNats().catch(() => undefined));
  });
  afterAll(async () => {
    await lock?.end();
    await client?.close();
    await service?.kill();
    await Promise.all([postgres?.stop(), nats?.stop()]);
  });

  /** Two calls that wait until the lock is released. */
  beforeEach(async () => {
    await lock.query('BEGIN');
    await lock.query('SELECT FROM tasks WHERE id = ANY ($1) FOR UPDATE', [LOCKED]);
    waiting = LOCKED.map((id) => service.rpc('task.update', { id, updates: { priority: 1 } }));
    await until('both calls wait for the lock', async () => {
      const { rows } = await lock.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
      return rows.length === 2;
    });
  });
  afterEach(async () => {
    await lock.query('ROLLBACK');
    await Promise.all(waiting);
  });

  const requestOverNats = async () =>
    (await client.request('task.get', '{"id":"missing"}', { timeout: 10_000 })).json<RpcReply>();

  it('responds to further calls with 503 over HTTP and -32001 over NATS, and still serves the probes', async () => {
    const shed = await service.post(PING);
    expect([shed.status, shed.headers.get('content-type')]).toEqual([503, 'application/json; charset=utf-8']);
    expect(Number(shed.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.parse(shed.text)).toEqual({ jsonrpc: '2.0', error: OVERLOADED, id: null });
    // The call is refused before its body is parsed.
    expect((await service.post('{')).status).toBe(503);

    const overRest = await service.fetch('/v1/tasks/missing', { method: 'DELETE' });
    expect([overRest.status, JSON.parse(overRest.text)]).toEqual([503, { detail: 'Service unavailable' }]);
    expect(Number(overRest.headers.get('retry-after'))).toBeGreaterThan(0);

    expect(await requestOverNats()).toMatchObject({ error: OVERLOADED });
    await expectOperationsToAnswer(service);
  });

  it('accepts calls again when the calls in flight have ended', async () => {
    expect(isShed(await service.post(PING))).toBe(true);
    await lock.query('ROLLBACK');
    await Promise.all(waiting);
    expect((await service.post(PING)).status).toBe(200);
    expect(await requestOverNats()).toMatchObject({ error: { code: -32602 } });
  });
});

describe('load shedding by the delay of the event loop', () => {
  let service: Service;

  beforeAll(async () => {
    service = await startService({ DATA_DIR: 'memory', MAX_EVENT_LOOP_DELAY_MS: '200' });
  });
  afterAll(() => service?.kill());

  it('responds with 503 until the event loop is in time again', async () => {
    await until('the service is in time', async () => !isShed(await service.post(PING)));
    const shed = await until('calls are shed', async () => {
      // For the service it is as if one piece of work had taken all that time.
      service.pause();
      await sleep(500);
      service.resume();
      const reply = await service.post(PING);
      return isShed(reply) && reply;
    });
    expect(JSON.parse(shed.text)).toMatchObject({ error: OVERLOADED });
    await expectOperationsToAnswer(service);
    const served = await until('calls are served', async () => {
      const reply = await service.post(PING);
      return !isShed(reply) && reply;
    });
    expect(served.status).toBe(200);
  });
});
