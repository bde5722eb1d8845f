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

/** Scripts that change no more of a task than to make it known. */
export function defineReadingScripts(client: Redis | Cluster, scripts: TaskScripts): void {
  define(client, luaSource('task.lua'), scripts);
}

export function defineChangingScripts(client: Redis | Cluster, scripts: TaskScripts): void {
  define(client, `${luaSource('task.lua')}\n${luaSource('task-changes.lua')}`, scripts);
}

function define(client: Redis | Cluster, common: string, scripts: TaskScripts): void {
  for (const [command, [file, numberOfKeys]] of Object.entries(scripts)) {
    client.defineCommand(command, { numberOfKeys, lua: `${common}\n${luaSource(file)}` });
  }
}
