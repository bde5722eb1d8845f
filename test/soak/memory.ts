import { until } from '../support/poll';
import type { Replica } from '../faults/replica-group';

const MIB = 1024 * 1024;
/** What may be left in the heap at one moment and not at another: caches of statements, buffers of connections. */
const HEAP_ALLOWANCE_BYTES = 16 * MIB;
/**
 * A replica remembers the changes that it has acknowledged, up to this number (docs/consistency.md). This is what it may
 * grow by before it is flat.
 */
const REMEMBERED_CHANGES = 100_000;
const BYTES_PER_CHANGE = 512;
/** The allocator gives back less than is freed, and the more so the larger the peaks are. */
const RESIDENT_ALLOWANCE = 0.5;
/** Connections that happen to be open at one moment and not at the other. */
const DESCRIPTOR_ALLOWANCE = 32;

/** Of one replica, when nobody calls it and all garbage has been collected. */
export interface MemorySample {
  readonly replica: string;
  readonly pid: number;
  /** In bytes, with buffers outside of the heap of JavaScript. */
  readonly heapBytes: number;
  readonly residentBytes: number;
  /** Open files and sockets; 0 if the system does not tell. */
  readonly descriptors: number;
}

export async function sampleMemory({ name, service }: Replica): Promise<MemorySample> {
  const reports = () => service.logLines.filter((line) => line.startsWith('{"memory":'));
  const before = reports().length;
  service.signal('SIGWINCH');
  const line = await until(`${name} has collected its garbage`, () => reports()[before]);
  const { heapUsed, external, rss } = (JSON.parse(line) as { memory: NodeJS.MemoryUsage }).memory;
  const { text } = await service.fetch('/metrics');
  const descriptors = Number(/^process_open_fds (\d+)$/m.exec(text)?.[1] ?? 0);
  return { replica: name, pid: service.pid, heapBytes: heapUsed + external, residentBytes: rss, descriptors };
}

/** In what the memory has grown by more than it may for so many acknowledged writes; empty if it is flat. */
export function growthProblems(before: MemorySample, after: MemorySample, writes: number): string[] {
  if (before.pid !== after.pid) return [`${after.replica} is another process than the one that was measured before`];
  const heapLimit = before.heapBytes + allowedHeapGrowth(writes);
  const residentLimit = before.residentBytes * (1 + RESIDENT_ALLOWANCE) + allowedHeapGrowth(writes);
  const descriptorLimit = before.descriptors + DESCRIPTOR_ALLOWANCE;
  const grown = (what: string, from: number, to: number, limit: number) =>
    to <= limit ? [] : [`${after.replica}: ${what} grew from ${from} to ${to}, and may be ${Math.round(limit)}`];
  return [
    ...grown('the live heap', before.heapBytes, after.heapBytes, heapLimit),
    ...grown('the resident memory', before.residentBytes, after.residentBytes, residentLimit),
    ...grown('the number of descriptors', before.descriptors, after.descriptors, descriptorLimit),
  ];
}

/** In bytes. Depends on what was done, and not on how long it took. */
export function allowedHeapGrowth(writes: number): number {
  return HEAP_ALLOWANCE_BYTES + Math.min(writes, REMEMBERED_CHANGES) * BYTES_PER_CHANGE;
}
