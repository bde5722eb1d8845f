import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { DocumentedCommands, type Surroundings } from '../support/documented-commands';
import { EventReader, type ServerSentEvent } from '../support/event-reader';
import { startForwarder, type Forwarder } from '../support/forwarder';
import { startNats } from '../support/nats-server';
import { until } from '../support/poll';
import { backUp, restoreBackup, untilArchived } from '../support/postgres-recovery';
import { startCopy, startPostgres, unprivilegedUser, type PostgresServer } from '../support/postgres-server';
import { startRedis, type RedisServer } from '../support/redis-server';
import { launchService, runProgram, startService, type Environment, type Service } from '../support/service';
import { withPostgres, withRedis } from '../support/setups';
import type { WireAttachment, WireAttachmentPage } from '../support/wire-values';
import { AnnouncedEvents } from './announced-events';

const DATABASE = 'test_1';
/** Enough for the positions of the new server to lie below those of the old one. */
const SPENT_TRANSACTIONS = 3000;
const commands = new DocumentedCommands('docs/backup-restore.md');

let redis: RedisServer;
let servers: PostgresServer[];
let forwarder: Forwarder;
let services: Service[];

const first = () => servers[0] as PostgresServer;
const urlOn = (port: number) => `postgres://postgres@127.0.0.1:${port}/${DATABASE}`;
const environment = (port = forwarder.port) => ({ DATABASE_URL: urlOn(port), REDIS_URL: redis.url });
async function start(more: Environment = {}): Promise<Service> {
  const service = await startService({ ...environment(), ...more });
  services.push(service);
  return service;
}
/** A command of the document, with the programs of the server at hand. */
const run = (part: string, { env, ...more }: Surroundings = {}) => {
  const here = environment(first().port);
  const own = {
    ...here,
    OWNER_URL: here.DATABASE_URL,
    ADMIN_URL: here.DATABASE_URL,
    PATH: `${first().binaries}:${process.env['PATH']}`,
  };
  return commands.run(part, { env: { ...own, ...env }, ...more });
};
const put = (service: Service, taskId: string, key: string, value: string) =>
  service.result<WireAttachment>('task.create_attachment', { taskId, key, type: 'json', value });
const valueOf = async (service: Service, taskId: string, key: string) => {
  const { result, error } = await service.rpc('task.get_attachment', { taskId, key });
  return result ? result['value'] : error?.data?.['code'];
};
const remove = (service: Service, taskId: string, key: string) =>
  service.result('task.delete_attachment', { taskId, key });
/** As PostgreSQL has it: what the journal has answers degraded. */
const untilStored = (service: Service, taskId: string, key: string, value: string) =>
  until(`PostgreSQL has ${value}`, async () => {
    const { result } = await service.rpc('task.get_attachment', { taskId, key });
    return result?.['value'] === value && !result['degraded'];
  });
const untilInNewEpoch = (service: Service) =>
  until('it is in the new epoch', () => service.logLines.some((line) => line.includes('a new epoch has begun')));
const untilDrained = () =>
  until('the journal is drained', () =>
    withRedis(redis.url, async (client) => (await client.llen('cb:journal')) === 0),
  );
/** Puts an attachment of which only Redis knows. */
const journal = (service: Service, key: string, taskId = 't') =>
  until('the journal takes writes', async () => {
    const put = { taskId, key, type: 'json', value: 'kept' };
    return (await service.rpc('task.create_attachment', put)).result?.['degraded'] === true;
  });
const spendTransactions = () =>
  withPostgres(urlOn(first().port), async (client) => {
    for (let i = 0; i < SPENT_TRANSACTIONS; i++) await client.query('SELECT pg_current_xact_id()');
  });
/** Every event has been published, so that a restore to this moment publishes none again. */
const untilPublished = (port: number) =>
  withPostgres(urlOn(port), (client) =>
    until('every event is published', async () => {
      const { rowCount } = await client.query('SELECT FROM outbox_waiting');
      return rowCount === 0;
    }),
  );
const listOf = async (service: Service, taskId: string) => {
  const { attachments } = await service.result<WireAttachmentPage>('task.list_attachments', { taskId });
  return Object.fromEntries(attachments.map(({ key, value }) => [key, value]));
};

/** What the backup, or the standby, will have. */
async function writeWhatStays(service: Service): Promise<void> {
  for (const id of ['t', 'gone']) await service.result('task.create', { id, text: 'x' });
  await put(service, 't', 'overwritten', 'old');
  await put(service, 't', 'removed', 'old');
  await put(service, 'gone', 'a', 'old');
}

/** What it will lack; everything is cached, and the replica remembers it as its own. */
async function writeWhatIsLost(service: Service): Promise<ServerSentEvent> {
  const reader = await EventReader.open(service.url);
  await put(service, 't', 'overwritten', 'lost');
  await put(service, 't', 'added', 'lost');
  await remove(service, 't', 'removed');
  await service.result('task.delete', { id: 'gone' });
  await service.result('task.create', { id: 'new', text: 'x' });
  await put(service, 'new', 'a', 'lost');
  await until('the task is cached', async () => {
    const list = await listOf(service, 't');
    return withRedis(
      redis.url,
      async (client) => list['added'] === 'lost' && (await client.hget('cb:task:t:control', 'c')) === '1',
    );
  });
  const [last] = (await reader.events(6)).slice(-1);
  reader.close();
  return last as ServerSentEvent;
}

/** Of each replica: the truth is that of the server that is there now, in every answer. */
async function expectWhatStays(): Promise<void> {
  for (const service of services) {
    await untilStored(service, 't', 'overwritten', 'old');
    expect(await valueOf(service, 't', 'added')).toBe('ATTACHMENT_NOT_FOUND');
    expect(await valueOf(service, 't', 'removed')).toBe('old');
    expect(await valueOf(service, 'gone', 'a')).toBe('old');
    expect(await service.result('task.get', { id: 'gone' })).toMatchObject({ id: 'gone' });
    expect((await service.error('task.get', { id: 'new' })).data).toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect((await service.error('task.get_attachment', { taskId: 'new', key: 'a' })).data).toMatchObject({
      code: 'TASK_NOT_FOUND',
    });
    for (const _ of ['from PostgreSQL', 'from Redis']) {
      expect(await listOf(service, 't')).toEqual({ overwritten: 'old', removed: 'old' });
      const batch = await service.result('task.get_attachments_batch', {
        requests: ['overwritten', 'removed'].map((key) => ({ taskId: 't', key })),
      });
      expect(JSON.stringify(batch)).not.toContain('lost');
    }
  }
}

/**
 * A reader goes on behind the last event that was lost, and gets those of `expectToWork`, and others. What the journal
 * held may be drained behind them: the order holds for each key.
 */
async function expectNewEventsOnly({ id: lastEventId }: ServerSentEvent, ...others: string[]): Promise<void> {
  const keys = [...others, 'after', 'after', 'after'];
  for (const { url } of services) {
    const resumed = await EventReader.open(url, { lastEventId });
    const received = await resumed.events(keys.length);
    expect(received.map(({ data }) => data.payload['key']).sort()).toEqual(keys.sort());
    resumed.close();
  }
}

/** Both replicas use the new server, and tell each other of changes through Redis. */
async function expectToWork([one, two] = services as [Service, Service]): Promise<void> {
  await put(one, 't', 'after', 'new');
  await until('the other replica has it', async () => (await valueOf(two, 't', 'after')) === 'new');
  await put(two, 't', 'after', 'newer');
  await until('the first replica has it', async () => (await valueOf(one, 't', 'after')) === 'newer');
  await remove(one, 't', 'after');
  await until('it is gone', async () => (await valueOf(two, 't', 'after')) === 'ATTACHMENT_NOT_FOUND');
}

/** The events of `t` in their order, of these attachments if any is named. */
const opsOf = (...keys: string[]) =>
  withPostgres(urlOn(first().port), async (client) => {
    const text = "SELECT op_id FROM outbox WHERE task_id = 't' AND ($1::text[] = '{}' OR key = ANY ($1)) ORDER BY seq";
    return (await client.query<{ op_id: string }>(text, [keys])).rows.map((row) => row.op_id);
  });

/** Roles are no part of a dump. */
const createOwner = ({ url }: PostgresServer) =>
  withPostgres(url, (client) => client.query('CREATE ROLE dossier_owner LOGIN'));

const ownerOf = ({ url }: PostgresServer, database: string) =>
  withPostgres(url, async (client) => {
    const text = 'SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1';
    return (await client.query<{ owner: string }>(text, [database])).rows[0]?.owner;
  });

const deadLetters = async () => {
  const { stdout } = await runProgram('dist/commands/dossier.js', ['dead-letters', 'list'], environment());
  return stdout.split('\n').filter((line) => line !== '');
};

const expectRefusal = async (args: string[], env: Environment, reason: string) => {
  const { code, stdout, stderr } = await runProgram('dist/commands/dossier.js', args, env);
  expect({ code, stdout, stderr: stderr.split('\n')[0] }).toEqual({ code: 1, stdout: '', stderr: reason });
};

const idOfDatabase = ({ port }: PostgresServer) =>
  withPostgres(urlOn(port), async (client) => {
    const { rows } = await client.query<{ id: string }>('SELECT database_id AS id FROM database_identity');
    return (rows[0] as { id: string }).id;
  });

describe('if the servers are no longer the same', () => {
  beforeEach(async () => {
    redis = await startRedis({ appendOnly: true });
    servers = [await startPostgres({ archives: true })];
    forwarder = await startForwarder(first().port);
    await first().createDatabase();
    services = [];
  });
  afterEach(async () => {
    await Promise.all(services.map((service) => service.kill()));
    await forwarder.close();
    await Promise.all(servers.map((server) => server.stop()));
    await redis.stop();
  });

  it('after a dump was restored into a new cluster, with Redis kept, every answer is that of the dump', async () => {
    await spendTransactions();
    await start();
    const [one] = services as [Service];
    await writeWhatStays(one);
    const dump = join(first().archive, 'dossier.sql');
    await run('pg_dump', { places: { 'dossier.sql': dump } });
    await start();
    const lastLost = await writeWhatIsLost(one);

    const second = await startPostgres();
    servers.push(second);
    await createOwner(second);
    await run('new-host', {
      places: {
        'new-host -U postgres': `127.0.0.1 -p ${second.port} -U postgres`,
        'dossier_owner dossier': `dossier_owner ${DATABASE}`,
        'postgres://postgres@new-host:5432/dossier': urlOn(second.port),
        'dossier.sql': dump,
      },
    });
    expect(await ownerOf(second, DATABASE)).toBe('dossier_owner');
    forwarder.leadTo(second.port);
    await expectWhatStays();
    await expectToWork();
    await expectNewEventsOnly(lastLost);
    await untilPublished(second.port);
  });

  it('after a dump was restored into the same server, every answer is that of the dump', async () => {
    await start();
    const [one] = services as [Service];
    await writeWhatStays(one);
    await untilPublished(first().port);
    const dump = join(first().archive, 'dossier.sql');
    await run('pg_dump', { places: { 'dossier.sql': dump } });
    await start();
    const lastLost = await writeWhatIsLost(one);

    // A copy beside the original leaves the Redis of its replicas alone.
    const copy = `${urlOn(first().port)}_copy`;
    await createOwner(first());
    await run('new-host', {
      places: {
        'new-host -U postgres': `127.0.0.1 -p ${first().port} -U postgres`,
        'dossier_owner dossier': `dossier_owner ${DATABASE}_copy`,
        'postgres://postgres@new-host:5432/dossier': copy,
        'dossier.sql': dump,
      },
    });
    const misled = await launchService({ ...environment(), DATABASE_URL: copy });
    services.push(misled);
    await until('it says why', () => misled.logLines.some((line) => line.includes('a restored or promoted copy')));
    expect((await misled.fetch('/readyz')).status).toBe(503);
    await misled.kill();
    services.pop();

    await run('RENAME', {
      places: {
        'old-host -U postgres': `127.0.0.1 -p ${first().port} -U postgres`,
        'dossier_owner dossier_restored': `dossier_owner ${DATABASE}_restored`,
        'postgres://postgres@old-host:5432/dossier_restored': `${urlOn(first().port)}_restored`,
        'postgres://postgres@old-host:5432/postgres': first().url,
        "'dossier'": `'${DATABASE}'`,
        'DATABASE dossier': `DATABASE ${DATABASE}`,
        'TO dossier': `TO ${DATABASE}`,
        'dossier.sql': dump,
      },
    });
    expect(await ownerOf(first(), DATABASE)).toBe('dossier_owner');
    await expectWhatStays();
    await expectToWork();
    await expectNewEventsOnly(lastLost);
  });

  it('after a standby was promoted that lacks the last commits, every answer is that of the standby', async () => {
    await start();
    await start();
    const [one] = services as [Service];
    await writeWhatStays(one);
    const standby = await startCopy(first(), { isStandby: true });
    servers.push(standby);
    await standby.kill();
    await writeWhatIsLost(one);
    await put(one, 't', 'overwritten', 'lost again');
    await first().kill();
    // What is acknowledged meanwhile is in the journal, and outlives the promotion.
    await journal(one, 'journaled');
    await journal(one, 'homeless', 'new');

    await standby.restart();
    await run('pg_promote', { places: { 'postgres://postgres@standby:5432/postgres': standby.url } });
    forwarder.leadTo(standby.port);
    // Until then Redis answers, and a deletion that meets the change of epochs is refused.
    for (const service of services) await untilInNewEpoch(service);
    for (const service of services) await untilStored(service, 't', 'journaled', 'kept');
    await remove(one, 't', 'journaled');
    await expectWhatStays();
    await expectToWork();

    // Its task is lost, and what was acknowledged meanwhile is not forgotten without a word.
    const [letter] = (await deadLetters()).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(letter).toMatchObject({ taskId: 'new', reason: 'task-missing' });
    const lines = services.flatMap(({ logLines }) => logLines).filter((line) => line.includes('a dead letter'));
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      expect.stringContaining('task new, key with the SHA-256 '),
    ]);
    await one.result('task.create', { id: 'new', text: 'x' });
    const { stdout } = await runProgram('dist/commands/dossier.js', ['dead-letters', 'replay', '--all'], environment());
    expect(stdout).toMatch(/: written/);
    expect(await valueOf(one, 'new', 'homeless')).toBe('kept');
    expect(await deadLetters()).toEqual([]);
  });

  it('after a recovery to a moment ago, every answer is that of the recovered server, and no old event is sent again', async () => {
    const nats = await startNats();
    const announced = await AnnouncedEvents.follow(nats.url);
    try {
      await start({ NATS_URL: nats.url });
      await start({ NATS_URL: nats.url });
      const [one] = services as [Service];
      const backup = join(first().archive, 'base');
      await run('pg_basebackup', { places: { '/backup/base': backup }, user: unprivilegedUser() });
      await writeWhatStays(one);
      await untilPublished(first().port);
      const moment = await withPostgres(first().url, async (client) => {
        const { rows } = await client.query<{ now: string }>('SELECT clock_timestamp()::text AS now');
        return (rows[0] as { now: string }).now;
      });
      const lastLost = await writeWhatIsLost(one);
      await untilPublished(first().port);
      const before = (await opsOf()).length;
      await until('they are announced', () => announced.idsOf(['t']).length === before);
      await untilArchived(first());
      await first().kill();
      await journal(one, 'journaled');

      const recover = commands.take('recovery.signal', {
        '/backup/base': backup,
        '/archive/%f': `${first().archive}/%f`,
        '2026-11-26 09:40:00+00': moment,
      });
      await first().restartWith((data, user) => {
        execFileSync('sh', ['-ec', recover], { ...user, cwd: data, env: { ...process.env, PGDATA: data } });
      });
      for (const service of services) await untilStored(service, 't', 'journaled', 'kept');
      await remove(one, 't', 'journaled');
      await expectWhatStays();
      await expectToWork();
      await expectNewEventsOnly(lastLost, 'journaled', 'journaled');
      const ops = await opsOf('journaled', 'after');
      await until('the new events are announced', () => announced.idsOf(['t']).length >= before + ops.length);
      expect(announced.idsOf(['t']).slice(before)).toEqual(ops);
    } finally {
      await announced.stop();
      await nats.stop();
    }
  });

  it('after a disk was rolled back unnoticed, every answer is that of the disk once a new epoch has been begun', async () => {
    await start();
    await start();
    const [one] = services as [Service];
    await writeWhatStays(one);
    await backUp(first());
    await writeWhatIsLost(one);
    forwarder.leadTo(1);
    await first().kill();
    // With the identifier and the timeline that it had.
    await first().restartWith((data) => restoreBackup(first(), data));
    await spendTransactions();
    forwarder.leadTo(first().port);
    for (const service of services) await untilStored(service, 't', 'overwritten', 'lost');

    const { stdout } = await run('dossier new-epoch');
    expect(stdout).toMatch(/^database [0-9a-f-]{36}: epoch [0-9a-f-]{36}\n$/);
    await expectWhatStays();
    await expectToWork();
  });

  it('a Redis whose database is gone is adopted by another one, its journal only if that is given up by name', async () => {
    const gone = await start();
    await writeWhatStays(gone);
    const databaseId = await idOfDatabase(first());
    forwarder.leadTo(1);
    await journal(gone, 'journaled');
    await gone.kill();
    const other = await startPostgres();
    servers.push(other);
    await other.createDatabase();
    const here = environment(other.port);
    const adopting = await launchService(here);
    services = [adopting];
    await until('it says why', () => adopting.logLines.some((line) => line.includes('belongs to another database')));

    const givingUp = { '20f5d124-fe08-455a-bbc0-0ab51da525e6': databaseId };
    const waiting = `adopt-redis: 1 writes wait for database ${databaseId}: drain them there, or give them up with --give-up-journal-of ${databaseId}`;
    await expectRefusal(['adopt-redis'], here, waiting);
    await expectRefusal(['adopt-redis', '--give-up-journal-of', await idOfDatabase(other)], here, waiting);
    await expectRefusal(['adopt-redis'], { DATABASE_URL: urlOn(other.port) }, 'adopt-redis: REDIS_URL is not set');
    expect((await adopting.fetch('/readyz')).status).toBe(503);

    const unasked = await runProgram(
      'dist/commands/dossier.js',
      ['adopt-redis', '--give-up-journal-of', databaseId],
      here,
    );
    expect([unasked.code, unasked.stdout]).toEqual([1, '']);
    expect(unasked.stderr).toMatch(
      new RegExp(
        `database ${databaseId} to .* turns 1 journaled writes into dead letters.*Nothing was done: add --yes`,
      ),
    );
    expect((await adopting.fetch('/readyz')).status).toBe(503);

    const { stdout, stderr } = await run('--give-up-journal-of', { places: givingUp, env: here });
    expect(JSON.parse(stderr)).toMatchObject({
      context: 'operator',
      msg: expect.stringContaining('adopt-redis') as string,
    });
    expect(stdout).toBe(`this Redis belongs to database ${await idOfDatabase(other)}\n`);
    await adopting.until('/readyz', 200);
    expect((await adopting.error('task.get', { id: 't' })).data).toMatchObject({ code: 'TASK_NOT_FOUND' });
    const letters = await runProgram('dist/commands/dossier.js', ['dead-letters', 'list'], here);
    expect(JSON.parse(letters.stdout)).toMatchObject({ taskId: 't', key: 'journaled', write: 'put' });
    await adopting.result('task.create', { id: 't', text: 'another' });
    await put(adopting, 't', 'a', 'other');
    expect(await valueOf(adopting, 't', 'a')).toBe('other');
    await adopting.kill();

    // Nothing waits any more: nothing has to be given up.
    forwarder.leadTo(first().port);
    await run('dossier adopt-redis --yes\n');
    services = [];
    const back = await start();
    await back.until('/readyz', 200);
    expect(await valueOf(back, 't', 'overwritten')).toBe('old');
    expect(await valueOf(back, 't', 'a')).toBe('ATTACHMENT_NOT_FOUND');
  });

  it('a replica without NATS publishes nothing in the place of the others until NATS is turned off', async () => {
    const nats = await startNats();
    const announced = await AnnouncedEvents.follow(nats.url);
    try {
      const publisher = await start({ NATS_URL: nats.url });
      const other = await start();
      await other.result('task.create', { id: 't', text: 'x' });
      await until('it is announced', () => announced.idsOf(['t']).length === 1);
      // Killed between the announcement and its record, the publisher would leave two events that wait.
      await untilPublished(first().port);
      await publisher.kill();
      await put(other, 't', 'waiting', 'x');
      await until('it says why', () => other.logLines.some((line) => line.includes('dossier nats off')));
      await withPostgres(urlOn(first().port), async (client) => {
        expect((await client.query('SELECT FROM outbox_waiting')).rowCount).toBe(1);
      });

      expect((await run('dossier nats off')).stdout).toMatch(/^NATS is off, until .*\n$/);
      await untilPublished(first().port);
      expect(announced.idsOf(['t'])).toHaveLength(1);
    } finally {
      await announced.stop();
      await nats.stop();
    }
  });

  it('a replica on another database, or on a copy of this one, is not ready, and leaves the Redis of the others alone', async () => {
    await start();
    await start();
    const [one] = services as [Service];
    await writeWhatStays(one);
    const copy = await startCopy(first(), { isStandby: false });
    const other = await startPostgres();
    servers.push(copy, other);
    await other.createDatabase();
    await withPostgres(copy.url, (client) => client.query('SELECT 1'));
    forwarder.leadTo(1);
    await journal(one, 'journaled');

    const misled = await launchService(environment(other.port));
    services.push(misled);
    await until('it says why', () =>
      misled.logLines.some((line) => line.includes('this Redis belongs to another database')),
    );
    expect((await misled.fetch('/readyz')).status).toBe(503);
    await withRedis(redis.url, async (client) => expect(await client.llen('cb:journal')).toBe(1));
    await misled.kill();
    services.pop();
    forwarder.leadTo(first().port);
    await untilDrained();
    for (const service of services) await untilStored(service, 't', 'journaled', 'kept');
    await expectToWork();
  });
});

it('every command of the document has been run', () => {
  expect(commands.unused).toEqual([]);
});
