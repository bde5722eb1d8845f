import type { Cluster, Redis, Result } from 'ioredis';
import type { EpochVerdict } from '../../core/ports/attachment-cache';
import { defineChangingScripts, definePlainScripts, defineReadingScripts, type ScriptArguments } from './lua-scripts';

/** The organisation is null if it is not known. */
type AboutTask = [floor: string, deleted: '0' | '1', organization: string | null, cursor: string];
/** An outline is packed, and null for a deletion. */
export type JournaledReply = [key: string, version: string, outline: string | null];
/** `entries` are packed. A text stands for journaled records that are larger than they may be: their bytes. */
export type PageReply = [
  ...AboutTask,
  total: string,
  entries: string[],
  bytes: number,
  journaled?: JournaledReply[] | string,
];

type TaskKeys = [owner: string, control: string, index: string, attachmentPrefix: string];
/** Null for what is not known. */
export type OwnerReply = [
  cursor: string | null,
  databaseId: string | null,
  epoch: string | null,
  isFamiliar: '0' | '1',
];

type ReadKeys = [...TaskKeys, cursor: string];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    cacheRead(keyCount: number, keys: readonly string[], args: ScriptArguments): Result<string[], Context>;
    cacheReadPage(...args: [...ReadKeys, ScriptArguments]): Result<PageReply, Context>;
    cacheApplyPut(...args: [...TaskKeys, ScriptArguments]): Result<string | null, Context>;
    cacheApplyDeletion(...args: [...TaskKeys, ScriptArguments]): Result<string | null, Context>;
    cacheWipe(...args: [...TaskKeys, ScriptArguments]): Result<null, Context>;
    cacheFill(...args: [...TaskKeys, ScriptArguments]): Result<null, Context>;
    cacheOwner(owner: string, cursor: string, address: string): Result<OwnerReply, Context>;
    cacheEnter(owner: string, cursor: string, args: ScriptArguments): Result<EpochVerdict, Context>;
    cacheProject(keyCount: number, keys: readonly string[], args: ScriptArguments): Result<null, Context>;
  }
}

export function defineCacheScripts(client: Redis | Cluster): void {
  defineReadingScripts(client, {
    cacheRead: ['read.lua'],
    cacheReadPage: ['read-page.lua', 5],
  });
  defineChangingScripts(client, {
    cacheApplyPut: ['apply-put.lua', 4],
    cacheApplyDeletion: ['apply-deletion.lua', 4],
    cacheWipe: ['wipe.lua', 4],
    cacheFill: ['fill.lua', 4],
    cacheProject: ['project.lua'],
  });
  definePlainScripts(client, { cacheOwner: ['owner.lua', 2], cacheEnter: ['enter.lua', 2] });
}
