import { allowedHeapGrowth, type MemorySample } from './memory';
import type { Tally } from './witness';

const MIB = 1024 * 1024;
const ERROR = 50;
const LEVELS = { 30: 'informations', 40: 'warnings', [ERROR]: 'errors' };
const SHOWN_ERRORS = 10;

interface LogLine {
  readonly level: number;
  readonly msg: string;
}

export interface SoakReport {
  readonly minutes: number;
  readonly seed: number;
  readonly seconds: number;
  /** By the name of the phase. */
  readonly tallies: ReadonlyMap<string, Tally>;
  /** How many results there were, by method and way in. */
  readonly results: ReadonlyMap<string, number>;
  readonly memory: { readonly before: readonly MemorySample[]; readonly after: readonly MemorySample[] };
  /** Between the two measurements of memory. */
  readonly writes: number;
  readonly tasks: number;
  /** How many calls of the checked workload were held against what is stored. */
  readonly checks: number;
  readonly events: number;
  readonly followed: readonly { readonly count: number; readonly connections: number }[];
  readonly hasPrometheus: boolean;
  readonly alerts: Readonly<Record<string, readonly string[]>>;
  readonly logs: readonly { readonly name: string; readonly lines: readonly string[] }[];
  readonly problems: readonly string[];
}

export function textOf(report: SoakReport): string {
  const { seed, minutes, seconds, checks, tasks, events, followed } = report;
  const followers = followed.map(({ count, connections }) => `${count} (${connections} times connected)`).join(', ');
  return [
    `A day in the life: ${minutes} minutes asked for, ${Math.round(seconds)} s taken, seed ${seed}`,
    '',
    ...phaseTable(report),
    '',
    'Errors by code:',
    ...errorLines(report),
    '',
    'Results by method:',
    ...resultLines(report),
    '',
    `Compared with what is stored: ${checks} calls of the checked workload, ${tasks} tasks of all callers.`,
    `Events in the stream: ${events}. Followers of GET /events were told of ${followers}.`,
    '',
    ...memoryLines(report),
    '',
    ...observationLines(report),
    ...logLines(report),
    '',
    ...problemLines(report),
  ].join('\n');
}

function phaseTable({ tallies }: SoakReport): string[] {
  const header = ['phase', 'answers', 'results', 'degraded', 'errors', 'p50 ms', 'p99 ms', 'max ms'];
  const rows = [...tallies].map(([name, { answers, results, degraded, errors, durationsMs }]) => {
    const sorted = [...durationsMs].sort((a, b) => a - b);
    const failed = [...errors.values()].reduce((sum, count) => sum + count, 0);
    const times = [0.5, 0.99, 1].map((share) => quantile(sorted, share));
    return [name, answers, results, degraded, failed, ...times.map((ms) => ms.toFixed(0))].map(String);
  });
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] as string).length)));
  return [header, ...rows].map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  );
}

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function errorLines({ tallies }: SoakReport): string[] {
  const errors = new Map<string, string[]>();
  for (const [phase, tally] of tallies) {
    for (const [name, count] of tally.errors) errors.set(name, [...(errors.get(name) ?? []), `${phase} ${count}`]);
  }
  return [...errors].sort().map(([name, phases]) => `  ${name}: ${phases.join(', ')}`);
}

function resultLines({ results }: SoakReport): string[] {
  const ways = new Map<string, string[]>();
  for (const [name, count] of results) {
    const [method, way] = name.split(' ') as [string, string];
    ways.set(method, [...(ways.get(method) ?? []), `${way} ${count}`]);
  }
  return [...ways].sort().map(([method, counts]) => `  ${method}: ${counts.sort().join(', ')}`);
}

function memoryLines({ memory, writes }: SoakReport): string[] {
  const lines = memory.after.map((after, i) => {
    const before = memory.before[i] as MemorySample;
    const change = (what: 'heapBytes' | 'residentBytes') => `${mib(before[what])} → ${mib(after[what])}`;
    const descriptors = `${before.descriptors} → ${after.descriptors}`;
    return `  ${after.replica}: heap ${change('heapBytes')}, resident ${change('residentBytes')}, descriptors ${descriptors}`;
  });
  const allowed = `the heap may grow by ${mib(allowedHeapGrowth(writes))} for ${writes} writes`;
  return [`Memory after garbage collection, after the morning and at the end (${allowed}):`, ...lines];
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function observationLines({ hasPrometheus, alerts }: SoakReport): string[] {
  if (!hasPrometheus)
    return ['No prometheus on this machine: names and labels of the queries were compared with /metrics.'];
  const list = (names: readonly string[] = []) => names.join(', ') || 'none';
  return [
    `Prometheus ran every query. Alerts that were pending: ${list(alerts['pending'])}; fired: ${list(alerts['firing'])}.`,
  ];
}

/** Of the processes at the end: how many lines of each level, and the errors. */
function logLines({ logs }: SoakReport): string[] {
  return logs.flatMap(({ name, lines }) => {
    const found = lines.filter((line) => line.startsWith('{"level"')).map((line) => JSON.parse(line) as LogLine);
    const counts = Object.entries(LEVELS).map(([level, word]) => {
      return `${found.filter((line) => line.level === Number(level)).length} ${word}`;
    });
    const errors = [...new Set(found.filter(({ level }) => level >= ERROR).map(({ msg }) => `    ${msg}`))];
    return [`Log of ${name}: ${counts.join(', ')}`, ...errors.slice(0, SHOWN_ERRORS)];
  });
}

function problemLines({ problems }: SoakReport): string[] {
  if (problems.length === 0) {
    return ['No problem: nothing is lost, every error is documented, memory is flat, every query has an answer.'];
  }
  return [`${problems.length} problems:`, ...problems.map((problem) => `- ${problem}`)];
}
