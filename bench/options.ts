import { parseArgs } from 'node:util';
import { BenchError } from './bench-error';
import type { Headers } from './rpc-client';

export interface BenchOptions {
  /** The measurements; none: all. */
  readonly names: readonly string[];
  /** What follows `compare`: the JSON-RPC endpoint of another server. */
  readonly compareUrl?: string;
  /** Of the requests to it. */
  readonly headers: Headers;
  /** The rows or plots that are measured; unset: all. */
  readonly only?: readonly string[];
  /** Of one load. */
  readonly seconds: number;
  readonly rounds: number;
  /** For how long an idle replica is watched. */
  readonly idleSeconds: number;
  /** Of mixed load, after which memory is looked at. */
  readonly memoryMinutes: number;
}

const COMPARE = 'compare';
/** They measure parts that `--only` names. */
const SELECTIVE: readonly string[] = ['goals', 'plots', COMPARE];
const TEXT = { type: 'string' } as const;
const OPTIONS = {
  only: TEXT,
  seconds: { ...TEXT, default: '3' },
  rounds: { ...TEXT, default: '3' },
  'idle-seconds': { ...TEXT, default: '20' },
  'memory-minutes': { ...TEXT, default: '3' },
  header: { ...TEXT, multiple: true, default: [] as string[] },
} as const;

/** Throws `BenchError`, with one line that says what is wrong with the arguments. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parsed(args);
  const [first, second, ...more] = positionals;
  const isComparison = first === COMPARE;
  if (!isComparison && positionals.includes(COMPARE)) throw new BenchError('compare is a run of its own: compare URL');
  if (values.only !== undefined && (!SELECTIVE.includes(first ?? '') || (!isComparison && second !== undefined))) {
    throw new BenchError(`--only belongs to a run of one of these alone: ${SELECTIVE.join(', ')}`);
  }
  if (isComparison && more.length > 0) throw new BenchError(`compare takes one URL, not ${more.length + 1}`);
  if (!isComparison && values.header.length > 0) throw new BenchError('--header belongs to compare');
  return {
    names: isComparison ? [COMPARE] : positionals,
    compareUrl: isComparison ? endpointOf(second) : undefined,
    headers: Object.fromEntries(values.header.map(headerOf)),
    only: values.only?.split(',').map((name) => name.trim()),
    seconds: numberOf('seconds', values.seconds, 0.1, 600),
    rounds: numberOf('rounds', values.rounds, 1, 100, true),
    idleSeconds: numberOf('idle-seconds', values['idle-seconds'], 1, 3600),
    memoryMinutes: numberOf('memory-minutes', values['memory-minutes'], 0.1, 1440),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Its second sentence explains how to pass a name that begins with a dash.
    throw new BenchError((error as Error).message.split('. ')[0]);
  }
}

function endpointOf(text: string | undefined): string {
  if (text === undefined) throw new BenchError('compare needs the URL of a JSON-RPC endpoint: compare http://host/rpc');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new BenchError(`compare needs an http or https URL, not ${text}`);
  }
  return url.href;
}

function headerOf(text: string): [name: string, value: string] {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):\s*(\S.*)$/.exec(text) ?? [];
  if (!name || !value) throw new BenchError(`--header must be 'Name: value', not ${JSON.stringify(text)}`);
  return [name, value.trim()];
}

function numberOf(name: string, text: string, least: number, most: number, isWhole = false): number {
  const number = text.trim() === '' ? NaN : Number(text);
  if (number >= least && number <= most && (!isWhole || Number.isInteger(number))) return number;
  throw new BenchError(`--${name} must be a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}, not ${text}`);
}
