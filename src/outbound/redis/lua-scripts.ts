import type { Cluster, Redis } from 'ioredis';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names of commands, each with the file of its script and how many keys it takes; undefined: each call says how many. */
export type TaskScripts = Readonly<Record<string, readonly [file: string, numberOfKeys?: number]>>;
export type ScriptArguments = readonly (string | number)[];

/** Of a file in the folder of the scripts. */
export function luaSource(file: string): string {
  return readFileSync(join(__dirname, 'scripts', file), 'utf8');
}

/** Scripts that work on what is cached of tasks. */
export function defineTaskScripts(client: Redis | Cluster, scripts: TaskScripts): void {
  const task = luaSource('task.lua');
  for (const [command, [file, numberOfKeys]] of Object.entries(scripts)) {
    client.defineCommand(command, { numberOfKeys, lua: `${task}\n${luaSource(file)}` });
  }
}
