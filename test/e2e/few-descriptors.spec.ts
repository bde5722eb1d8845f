import { once } from 'node:events';
import { join } from 'node:path';
import { until } from '../support/poll';
import { spawnMortal } from '../support/spawn-mortal';

const ROOT = join(__dirname, '../..');

/** Only Linux tells a process how many files it may open. */
const EXPECTED_WARNINGS = process.platform === 'linux' ? 1 : 0;

it('a process that may open too few files for its settings says so in one line at its start', async () => {
  const command = 'ulimit -n 300 && exec "$0" dist/main.js';
  const env = { PATH: process.env['PATH'] ?? '', PORT: '0', DATA_DIR: 'memory', MAX_IN_FLIGHT: '400' };
  const service = spawnMortal('/bin/sh', ['-c', command, process.execPath], { cwd: ROOT, env });
  let log = '';
  service.stdout?.on('data', (text: Buffer) => (log += text.toString()));
  try {
    await until('it listens', () => log.includes('listening on'));
    const warnings = log.match(/may open 300 files and connections \(ulimit -n\), but needs 475 for MAX_IN_FLIGHT/g);
    expect(warnings ?? []).toHaveLength(EXPECTED_WARNINGS);
  } finally {
    service.kill('SIGKILL');
    await once(service, 'exit');
  }
});
