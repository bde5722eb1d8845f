import type { Cluster, Redis, Result } from 'ioredis';
import { defineChangingScripts, type ScriptArguments } from './lua-scripts';

export type AppendReply =
  | ['journaled']
  | ['journaled', id: string, createdAt: string, createdBy: string]
  | ['superseded', version: string]
  | ['task-missing']
  | ['unknown'];

type AppendKeys = [control: string, index: string, attachmentPrefix: string, journal: string];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    journalAppend(...args: [...AppendKeys, ScriptArguments]): Result<AppendReply, Context>;
    journalOldest(journal: string, maxEntries: number, maxBytes: number): Result<string[], Context>;
    journalSettle(keyCount: number, keys: readonly string[], args: ScriptArguments): Result<number, Context>;
    journalBury(journal: string, deadLetters: string, entry: string): Result<null, Context>;
  }
}

export function defineJournalScripts(client: Redis | Cluster): void {
  defineChangingScripts(client, {
    journalAppend: ['journal-append.lua', 4],
    journalOldest: ['journal-oldest.lua', 1],
    journalSettle: ['journal-settle.lua'],
    journalBury: ['journal-bury.lua', 2],
  });
}
