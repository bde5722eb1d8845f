import { availableParallelism, loadavg } from 'node:os';
import { numberText } from './goal';

/** On what a report was measured, and whether the machine had other work when it began. */
export function describeMachine(): string {
  const [load = 0] = loadavg();
  return `Node ${process.versions.node}, ${availableParallelism()} cores, load average ${numberText(load)} at the start`;
}
