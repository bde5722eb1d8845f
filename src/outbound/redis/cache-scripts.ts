import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster, Redis, Result } from 'ioredis';

/** Organisation is null where it is not known. */
type AboutTask = [floor: string, deleted: '0' | '1', organization: string | null];
export type ReadReply = [...AboutTask, ...hashes: string[][]];
export type PageReply = [...AboutTask, total: string, ...entries: [key: string, op: string, outline: string[]][]];

type ScriptKeys = [control: string, index: string, attachmentPrefix: string];
type ScriptArguments = readonly (string | number)[];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    cacheRead(...args: [...ScriptKeys, ScriptArguments]): Result<ReadReply, Context>;
    cacheReadPage(...args: [...ScriptKeys, ScriptArguments]): Result<PageReply, Context>;
    cacheApplyPut(...args: [...ScriptKeys, ScriptArguments]): Result<null, Context>;
    cacheApplyDeletion(...args: [...ScriptKeys, ScriptArguments]): Result<null, Context>;
    cacheWipe(...args: [...ScriptKeys, ScriptArguments]): Result<null, Context>;
    cacheFill(...args: [...ScriptKeys, ScriptArguments]): Result<null, Context>;
  }
}

const SCRIPTS = {
  cacheRead: 'read.lua',
  cacheReadPage: 'read-page.lua',
  cacheApplyPut: 'apply-put.lua',
  cacheApplyDeletion: 'apply-deletion.lua',
  cacheWipe: 'wipe.lua',
  cacheFill: 'fill.lua',
};

export function defineCacheScripts(client: Redis | Cluster): void {
  const task = source('task.lua');
  for (const [command, file] of Object.entries(SCRIPTS)) {
    client.defineCommand(command, { numberOfKeys: 3, lua: `${task}\n${source(file)}` });
  }
}

function source(file: string): string {
  return readFileSync(join(__dirname, 'scripts', file), 'utf8');
}
