import type { CpuMicros } from '../load/load-generator-process';
import { markdownTable } from './markdown-table';

export interface Goal {
  readonly bound: 'at least' | 'at most';
  readonly value: number;
  /** `× bare`, `ms`, `% of a core`; also of what was reached. */
  readonly unit: string;
}

export function atLeast(value: number, unit: string): Goal {
  return { bound: 'at least', value, unit };
}

export function atMost(value: number, unit: string): Goal {
  return { bound: 'at most', value, unit };
}

/** What was measured for one goal: a row of the report. */
export interface Outcome {
  readonly work: string;
  /** What the goal is a multiple of, as it was measured. */
  readonly ceiling?: string;
  readonly goal?: Goal;
  /** In the unit of the goal. */
  readonly reached: number;
  /** If there is no goal. */
  readonly unit?: string;
  readonly latency?: { readonly p50Ms: number; readonly p99Ms: number };
  /** Of one call. */
  readonly cpuMicros?: CpuMicros;
  /** Why the row says nothing: it counts as a goal that is missed. */
  readonly problem?: string;
  /** Why this machine cannot say that the goal is missed. */
  readonly unjudged?: string;
}

const HEADER = [
  'work',
  'ceiling',
  'goal',
  'reached',
  'p50 / p99, ms',
  'node, µs',
  'PostgreSQL, µs',
  'Redis, µs',
  'met',
];

export type Verdict = 'met' | 'missed' | 'not judged' | 'no goal';

/** Judges what was measured, not the rounded number that the table shows. */
export function verdictOn({ goal, reached, problem, unjudged }: Outcome): Verdict {
  if (problem !== undefined) return 'missed';
  if (!goal) return 'no goal';
  if (goal.bound === 'at least' ? reached >= goal.value : reached <= goal.value) return 'met';
  return unjudged === undefined ? 'missed' : 'not judged';
}

/** How many goals are met, of those that could be judged. */
export function scoreOf(outcomes: readonly Outcome[]): string {
  const count = (verdict: Verdict) => outcomes.filter((outcome) => verdictOn(outcome) === verdict).length;
  return `${count('met')} of ${count('met') + count('missed')} goals are met.`;
}

export function outcomesTable(outcomes: readonly Outcome[]): string {
  return markdownTable(HEADER, outcomes.map(cellsOf));
}

function cellsOf(outcome: Outcome): string[] {
  const { work, ceiling = '', goal, reached, unit = goal?.unit ?? '', latency, cpuMicros, problem } = outcome;
  const micros = (value?: number) => (value === undefined ? '' : numberText(value));
  return [
    work,
    ceiling,
    goal ? `${goal.bound === 'at least' ? '≥' : '≤'} ${numberText(goal.value)} ${goal.unit}` : '',
    problem ?? `${numberText(reached)} ${unit}`,
    latency ? `${numberText(latency.p50Ms)} / ${numberText(latency.p99Ms)}` : '',
    micros(cpuMicros?.node),
    micros(cpuMicros?.postgres),
    micros(cpuMicros?.redis),
    verdictText(outcome),
  ];
}

function verdictText(outcome: Outcome): string {
  const verdict = verdictOn(outcome);
  return { met: 'yes', missed: '**no**', 'not judged': `not judged: ${outcome.unjudged}`, 'no goal': '' }[verdict];
}

/** Three digits that count, or a whole number. */
export function numberText(number: number): string {
  const digits = Number.isInteger(number) || Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return number.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
