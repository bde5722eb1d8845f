import type { Cluster, Redis, Result } from 'ioredis';
import { defineChangingScripts, defineReadingScripts, type ScriptArguments } from './lua-scripts';

/** The organisation is null if it is not known. */
type AboutTask = [floor: string, deleted: '0' | '1', organization: string | null, cursor: string];
export type RecordReply = [hash: string[], journaled: '0' | '1', deletedVersion?: string];
/** A number stands for bodies that are larger than the reply may be. */
export type ReadReply = [...AboutTask, ...(RecordReply[] | [bytes: string])];
export type EntryReply = [key: string, op: string, outline: string[], bytes?: number];
export type JournaledReply = [key: string, version: string, outline: string[] | null];
export type PageReply = [...AboutTask, total: string, entries: EntryReply[], journaled?: JournaledReply[]];

type TaskKeys = [control: string, index: string, attachmentPrefix: string];
type ReadKeys = [...TaskKeys, cursor: string];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    cacheRead(...args: [...ReadKeys, ScriptArguments]): Result<ReadReply, Context>;
    cacheReadPage(...args: [...ReadKeys, ScriptArguments]): Result<PageReply, Context>;
    cacheApplyPut(...args: [...TaskKeys, ScriptArguments]): Result<string | null, Context>;
    cacheApplyDeletion(...args: [...TaskKeys, ScriptArguments]): Result<string | null, Context>;
    cacheWipe(...args: [...TaskKeys, ScriptArguments]): Result<null, Context>;
    cacheFill(...args: [...TaskKeys, ScriptArguments]): Result<null, Context>;
    cacheProject(keyCount: number, keys: readonly string[], args: ScriptArguments): Result<null, Context>;
  }
}

export function defineCacheScripts(client: Redis | Cluster): void {
  defineReadingScripts(client, {
    cacheRead: ['read.lua', 4],
    cacheReadPage: ['read-page.lua', 4],
  });
  defineChangingScripts(client, {
    cacheApplyPut: ['apply-put.lua', 3],
    cacheApplyDeletion: ['apply-deletion.lua', 3],
    cacheWipe: ['wipe.lua', 3],
    cacheFill: ['fill.lua', 3],
    cacheProject: ['project.lua'],
  });
}
