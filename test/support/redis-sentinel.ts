import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstAnswer } from './first-answer';
import { freePort } from './free-port';
import { findOrInstall } from './installed-binary';
import { PrivateServer } from './private-server';
import type { ServerProgram } from './server-process';

const START_TIMEOUT_MS = 20_000;

/** A Sentinel that watches the server on `masterPort`. */
export async function startSentinel(masterPort: number): Promise<Omit<PrivateServer, 'start'>> {
  const sentinel = new Sentinel(await freePort(), masterPort);
  await sentinel.start();
  return sentinel;
}

class Sentinel extends PrivateServer {
  constructor(
    port: number,
    private readonly masterPort: number,
  ) {
    super('redis', port);
  }

  protected program(): ServerProgram {
    const file = join(this.folder, 'sentinel.conf');
    const lines = [`port ${this.port}`, 'bind 127.0.0.1', `dir ${this.folder}`];
    writeFileSync(file, [...lines, `sentinel monitor master 127.0.0.1 ${this.masterPort} 1`, ''].join('\n'));
    return {
      path: findOrInstall('redis-server'),
      args: [file, '--sentinel'],
      answers: async (pid) => (await firstAnswer(this.port, 'INFO server')).includes(`process_id:${pid}\r`),
      startTimeoutMs: START_TIMEOUT_MS,
    };
  }
}
