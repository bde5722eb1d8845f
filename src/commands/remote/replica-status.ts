import { loadOperatorConfig } from '../../app/config';
import { CommandError } from '../exit-code';
import type { OutputOptions } from '../output';
import { OperatedReplica } from './operated-replica';
import { differences, linesOf, type Status } from './status-lines';

export interface StatusOptions extends OutputOptions {
  readonly timeout: number;
}

/** Prints what each replica says of itself, and in which settings they differ. A replica that says nothing delays no other. */
export async function replicaStatus(urls: readonly string[], { timeout, json }: StatusOptions): Promise<void> {
  const configs = (urls.length > 0 ? urls : [undefined]).map((url) => loadOperatorConfig(url));
  const replies = await Promise.all(
    configs.map(async (config) => {
      try {
        return { url: config.url, status: await new OperatedReplica(config, timeout).ask('GET', 'status') };
      } catch (error) {
        if (error instanceof CommandError) return { url: config.url, error };
        throw error;
      }
    }),
  );
  const found: { readonly url: string; readonly status: Status }[] = [];
  for (const { url, status, error } of replies) {
    if (status) found.push({ url, status });
    else process.stderr.write(`status: ${error.message}\n`);
    process.exitCode ??= error?.exitCode;
  }
  const differ = differences(found);
  const write = (line: string) => process.stdout.write(`${line}\n`);
  if (json) return void write(JSON.stringify({ replicas: found, differ }));
  for (const { url, status } of found) [url, ...linesOf(status).map((line) => `  ${line}`)].forEach(write);
  for (const [name, values] of Object.entries(differ)) write(`differs: ${name}: ${values.join(', ')}`);
}
