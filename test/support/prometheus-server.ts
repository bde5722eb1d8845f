import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port';
import { PrivateServer } from './private-server';
import type { ServerProgram } from './server-process';

const START_TIMEOUT_MS = 20_000;

export interface PrometheusServer extends Omit<PrivateServer, 'start'> {
  /** The `data` of a reply of its API. Throws if it takes the query for wrong. */
  ask<T>(path: string, params?: Readonly<Record<string, string>>): Promise<T>;
}

/** `program` is its path; `configuration` is what its file says, as an object. */
export async function startPrometheus(program: string, configuration: object): Promise<PrometheusServer> {
  const server = new Prometheus(await freePort(), program, configuration);
  await server.start();
  return server;
}

class Prometheus extends PrivateServer implements PrometheusServer {
  constructor(
    port: number,
    private readonly path: string,
    private readonly configuration: object,
  ) {
    super('http', port);
  }

  async ask<T>(path: string, params: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(params).toString()}`);
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`${path}: ${error}`);
    return data;
  }

  protected program(): ServerProgram {
    const file = join(this.folder, 'prometheus.yml');
    const data = join(this.folder, 'data');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(this.configuration));
    return {
      path: this.path,
      args: [`--config.file=${file}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${this.port}`],
      // Another server may have taken the port first.
      answers: () =>
        this.ask<Record<string, string>>('status/flags').then(
          (flags) => flags['storage.tsdb.path'] === data,
          () => false,
        ),
      startTimeoutMs: START_TIMEOUT_MS,
    };
  }
}
