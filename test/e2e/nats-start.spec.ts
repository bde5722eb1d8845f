import { connect, RequestError, type NatsConnection } from '@nats-io/transport-node';
import { startNats, type NatsServer } from '../support/nats-server';
import { startPostgres, type PostgresServer } from '../support/postgres-server';
import { startService, type RpcReply, type Service } from '../support/service';

const TIMEOUT_MS = 10_000;

describe('requests over NATS that arrive while a replica starts', () => {
  let postgres: PostgresServer;
  let nats: NatsServer;
  let client: NatsConnection;
  let service: Service | undefined;

  beforeAll(async () => {
    [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
    client = await connect({ servers: nats.url });
  });
  afterAll(async () => {
    await service?.kill();
    await client?.close();
    await Promise.all([postgres?.stop(), nats?.stop()]);
  });

  /** Undefined while no replica has subscribed. */
  async function ask(): Promise<RpcReply | undefined> {
    try {
      return (await client.request('task.list', '{}', { timeout: TIMEOUT_MS })).json<RpcReply>();
    } catch (error) {
      if (error instanceof RequestError && error.isNoResponders()) return undefined;
      throw error;
    }
  }

  it('get no internal error: guards and pipes are ready before the first request', async () => {
    let hasStarted = false;
    const environment = {
      DATABASE_URL: await postgres.createDatabase(),
      NATS_URL: nats.url,
      // The start waits for Redis for a second: time enough for requests to arrive.
      REDIS_URL: 'redis://127.0.0.1:1',
    };
    const starting = startService(environment).then((started) => {
      service = started;
      hasStarted = true;
    });
    const replies: RpcReply[] = [];
    while (!hasStarted || replies.at(-1)?.result === undefined) {
      const reply = await ask();
      if (reply) replies.push(reply);
    }
    await starting;
    expect(replies.filter(({ error }) => error?.code === -32603)).toEqual([]);
  });
});
