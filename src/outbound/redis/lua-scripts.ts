import type { Cluster, Redis } from 'ioredis';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** For each command, the file of its script and the number of its keys. Undefined: each call gives the number. */
export type TaskScripts = Readonly<Record<string, readonly [file: string, numberOfKeys?: number]>>;
export type ScriptArguments = readonly (string | number)[];

/** The text of a file in the scripts folder. */
export function luaSource(file: string): string {
  return readFileSync(join(__dirname, 'scripts', file), 'utf8');
}

/** Scripts that change nothing of a task, except that it becomes known. */
export function defineReadingScripts(client: Redis | Cluster, scripts: TaskScripts): void {
  define(client, `${luaSource('task.lua')}\n${luaSource('packed.lua')}`, scripts);
}

export function defineChangingScripts(client: Redis | Cluster, scripts: TaskScripts): void {
  define(client, `${luaSource('task.lua')}\n${luaSource('task-changes.lua')}`, scripts);
}

/** Scripts that concern no task. */
export function definePlainScripts(client: Redis | Cluster, scripts: TaskScripts): void {
  define(client, '', scripts);
}

function define(client: Redis | Cluster, common: string, scripts: TaskScripts): void {
  for (const [command, [file, numberOfKeys]] of Object.entries(scripts)) {
    client.defineCommand(command, { numberOfKeys, lua: `${common}\n${luaSource(file)}` });
  }
}
