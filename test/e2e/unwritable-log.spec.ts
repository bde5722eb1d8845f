import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { freePort } from '../support/free-port';
import { until } from '../support/poll';
import { spawnMortal } from '../support/spawn-mortal';

/** Its descriptor cannot be written to, as that of a file on a full disk. */
const UNWRITABLE = openSync('/dev/null', 'r');
let service: ChildProcess | undefined;
afterEach(() => service?.kill('SIGKILL'));
afterAll(() => closeSync(UNWRITABLE));

it.each(['json', 'pretty'])(
  'a service that cannot write its log (%s) says so once, serves, and ends',
  async (format) => {
    const port = await freePort();
    service = spawnMortal(process.execPath, [resolve('dist/main.js')], {
      env: { DATA_DIR: 'memory', PORT: String(port), LOG_FORMAT: format, MAX_EVENT_LOOP_DELAY_MS: '60000' },
      stdio: ['ignore', UNWRITABLE, 'pipe'],
    });
    const exited = once(service, 'exit');
    let stderr = '';
    service.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const url = `http://127.0.0.1:${port}`;
    await until('it is ready', async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200);
    // Each is logged.
    for (let i = 0; i < 3; i++) expect((await fetch(`${url}/rpc`, { method: 'POST', body: '{}' })).status).toBe(415);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect(stderr.match(/the log cannot be written/g)).toHaveLength(1);

    service.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  },
);
