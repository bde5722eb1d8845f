import type { Cluster, Redis, Result } from 'ioredis';
import { defineChangingScripts, defineReadingScripts, type ScriptArguments } from './lua-scripts';

export type AppendReply =
  | ['journaled']
  | ['journaled', id: string, createdAt: string, createdBy: string]
  | ['superseded', version: string]
  | ['task-missing']
  | ['unknown'];

type AppendKeys = [owner: string, control: string, index: string, attachmentPrefix: string, journal: string];

declare module 'ioredis' {
  interface RedisCommander<Context> {
    journalAppend(...args: [...AppendKeys, ScriptArguments]): Result<AppendReply, Context>;
    journalOldest(owner: string, journal: string, ...args: ScriptArguments): Result<string[], Context>;
    journalSettle(keyCount: number, keys: readonly string[], args: ScriptArguments): Result<number, Context>;
    journalBury(owner: string, journal: string, deadLetters: string, ...args: string[]): Result<null, Context>;
  }
}

export function defineJournalScripts(client: Redis | Cluster): void {
  defineChangingScripts(client, {
    journalAppend: ['journal-append.lua', 5],
    journalSettle: ['journal-settle.lua'],
    journalBury: ['journal-bury.lua', 3],
  });
  defineReadingScripts(client, { journalOldest: ['journal-oldest.lua', 2] });
}
