import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBinary } from '../support/installed-binary';
import { until } from '../support/poll';
import { openConnection, rawRequest } from '../support/raw-http';
import { startRoundRobin } from '../support/round-robin';
import { runProgram, startService, type Service } from '../support/service';
import { spawnMortal } from '../support/spawn-mortal';

const DATABASE_URL = 'memory';
/** For the many calls, on a machine that is busy with other tests. */
const CALLS_TIMEOUT_MS = 300_000;

let service: Service | undefined;
afterEach(() => service?.kill());

/** A request whose headers or body are not complete: it keeps its connection open. */
async function beginRequest(url: string, text: string) {
  const connection = await openConnection(url);
  const received = { text: '' };
  connection.on('data', (data: Buffer) => (received.text += data.toString()));
  connection.write(text);
  return { connection, received };
}

const isListening = (url: string) =>
  new Promise<boolean>((resolve) => {
    const probe = connect(Number(new URL(url).port), '127.0.0.1');
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });

/** Keeps the process in its shutdown. */
async function beginUpload({ url }: Service) {
  const request = rawRequest('[]', { expect: '100-continue' });
  const bodyAt = request.indexOf('\r\n\r\n') + 4;
  const upload = await beginRequest(url, request.slice(0, bodyAt));
  await until('the call is accepted', () => upload.received.text.includes('100 Continue'));
  return { ...upload, finish: () => upload.connection.write(request.slice(bodyAt)) };
}

it('a signal that comes before anything is opened ends the process with 0', async () => {
  const NODE_OPTIONS = `--require ${join(__dirname, '../support/signal-at-first-listener.js')}`;
  const exit = await runProgram('dist/main.js', [], { DATABASE_URL, PORT: '0', NODE_OPTIONS });
  expect(exit).toEqual({ code: 0, stdout: '', stderr: '' });
});

it('a signal that comes so early ends the first process of a container, too', async () => {
  const unshare = process.getuid?.() === 0 ? findBinary('unshare') : undefined;
  // A machine that cannot do that runs it as any process.
  const command = [...(unshare ? [unshare, '--pid', '--fork', '--mount-proc', '--kill-child'] : []), process.execPath];
  const preloaded = ['--require', join(__dirname, '../support/signal-at-first-listener.js')];
  const child = spawnMortal(command[0] as string, [...command.slice(1), ...preloaded, 'dist/main.js'], {
    cwd: join(__dirname, '../..'),
    env: { PATH: process.env['PATH'] ?? '', DATABASE_URL, PORT: '0' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (output += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  expect([code, output]).toEqual([0, '']);
});

it('calls are served as always for the delay after SIGTERM, while /readyz is 503; then the port closes', async () => {
  service = await startService({ DATABASE_URL, SHUTDOWN_DELAY_MS: '5000' });
  await service.result('task.create', { id: 'kept', text: 'x' });
  const reader = await beginRequest(service.url, 'GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await until('the reader follows', () => reader.received.text.includes('following'));
  service.signal('SIGTERM');
  await service.until('/readyz', 503);
  for (let call = 0; call < 10; call++) {
    const { status, headers } = await service.post(
      '{"jsonrpc":"2.0","method":"task.get","params":{"id":"kept"},"id":1}',
    );
    expect([status, headers.get('connection')]).toEqual([200, 'close']);
  }
  expect((await service.fetch('/v1/tasks/kept', { method: 'DELETE' })).status).toBe(204);
  const { url } = service;
  await until('the port is closed', async () => !(await isListening(url)));
  expect((await service.exit).code).toBe(0);
  expect(reader.received.text).toMatch(/retry: \d+\n\n/);
});

it(
  '0 of 10,000 calls fail if one of two replicas stops, and load balancers notice it three seconds late',
  async () => {
    service = await startService({ DATABASE_URL });
    const leaving = await startService({ DATABASE_URL, SHUTDOWN_DELAY_MS: '5000' });
    const balancer = await startRoundRobin([service.url, leaving.url]);
    const body = '{"jsonrpc":"2.0","method":"task.list","params":{},"id":1}';
    const outcomes = new Map<string, number>();
    let calls = 0;
    let hasExited = false;
    const call = async () => {
      const response = await fetch(`${balancer.url}/rpc`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
      return `${response.status} ${(await response.text()).includes('"result"')}`;
    };
    const caller = async () => {
      while (calls < 10_000 || !hasExited) {
        calls++;
        const outcome = await call().catch((error: Error) => String(error.cause));
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    };
    try {
      const callers = Promise.all(Array.from({ length: 8 }, caller));
      await until('they are at it', () => calls > 500);
      leaving.signal('SIGTERM');
      await leaving.until('/readyz', 503);
      // The lag of the load balancer.
      await sleep(3000);
      balancer.remove(leaving.url);
      expect((await leaving.exit).code).toBe(0);
      hasExited = true;
      await callers;
      expect(Object.fromEntries(outcomes)).toEqual({ '200 true': calls });
      expect(calls).toBeGreaterThanOrEqual(10_000);
    } finally {
      await leaving.kill();
      await balancer.close();
    }
  },
  CALLS_TIMEOUT_MS,
);

it('a refusal has the form of the protocol to the last moment', async () => {
  service = await startService({ DATABASE_URL });
  const upload = await beginUpload(service);
  const call = await beginRequest(service.url, 'POST /rpc HTTP/1.1\r\n');
  const deletion = await beginRequest(service.url, 'DELETE /v1/tasks/t-1 HTTP/1.1\r\n');
  service.signal('SIGTERM');
  const { url } = service;
  await until('the port is closed', async () => !(await isListening(url)));
  call.connection.write(rawRequest('[]').replace(/^.*\r\n/, ''));
  deletion.connection.write('host: localhost\r\n\r\n');
  await until('both are answered', () => [call, deletion].every(({ received }) => received.text.endsWith('}')));
  expect(call.received.text).toMatch(/^HTTP\/1\.1 503 [^]*retry-after: [^]*"code":"SHUTTING_DOWN"/i);
  expect(deletion.received.text).toMatch(/^HTTP\/1\.1 503 [^]*\{"detail":"Service unavailable"\}$/);
  upload.finish();
  expect((await service.exit).code).toBe(0);
});

it('a second signal within a second changes nothing, and a later SIGINT ends the process at once', async () => {
  service = await startService({ DATABASE_URL });
  const upload = await beginUpload(service);
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT'] as const) service.signal(signal);
  await sleep(1200);
  service.signal('SIGTERM');
  await sleep(300);
  upload.finish();
  await until('the call is finished', () => upload.received.text.includes('HTTP/1.1 200'));
  expect((await service.exit).code).toBe(0);

  service = await startService({ DATABASE_URL });
  await beginUpload(service);
  service.signal('SIGTERM');
  await sleep(1200);
  service.signal('SIGINT');
  expect((await service.exit).code).toBe(130);
});

it('a reader of the log that has gone neither ends the process nor stops its shutdown', async () => {
  service = await startService({ DATABASE_URL, LOG_LEVEL: 'trace' });
  service.closeOutput();
  for (let i = 0; i < 20; i++) await service.result('task.create', { text: 'x' });
  const upload = await beginUpload(service);
  service.signal('SIGTERM');
  await until('it stops', () => service?.fetch('/readyz').then(({ status }) => status === 503));
  upload.finish();
  await until('the call is finished', () => upload.received.text.includes('HTTP/1.1 '));
  expect((await service.exit).code).toBe(0);
});
