import type { Observation } from '../faults/client';
import type { Call } from '../faults/history';
import { checkOutcome, checkReplies, type CallOutcome } from '../support/described-replies';
import { DocumentedErrors, wordOf } from './documented-errors';

/** What a phase may do to calls. */
export interface Excuses {
  /** The words of errors, of those below, that calls may get. */
  readonly words?: readonly string[];
  /** Whether requests over NATS may stay without a reply. */
  readonly natsIsSilent?: boolean;
  /** Whether a replica may for a moment lack what another one has acknowledged. */
  readonly mayBeStale?: boolean;
}

/** Errors that are not the fault of the call. Each is a problem, unless the phase excuses it. */
const FAILURES = ['STORE_UNAVAILABLE', 'STORE_FAILED', 'TIMEOUT', 'OVERLOADED', 'SHUTTING_DOWN'];
/** They are documented, and no call may get one. */
const FAULTS = ['INTERNAL_ERROR', 'KEY_SET_UNAVAILABLE', 'REPLY_TOO_LARGE'];
const SAMPLES = 3;

/** What was seen of the calls that began in one phase, or in several of the same name. */
export interface Tally {
  answers: number;
  results: number;
  degraded: number;
  readonly durationsMs: number[];
  /** How many errors there were, by code and word. */
  readonly errors: Map<string, number>;
}

export function isFailure(word = ''): boolean {
  return FAILURES.includes(word) || FAULTS.includes(word);
}

/** Sees every answer: counts it, and notes what no caller may be told. */
export class Witness {
  readonly tallies = new Map<string, Tally>();
  /** How many results there were, by method and way in. */
  readonly results = new Map<string, number>();
  private readonly found = new Map<string, { count: number; readonly samples: string[] }>();
  private readonly phases: (Excuses & { readonly name: string; readonly fromMs: number })[] = [];
  private readonly documented = new DocumentedErrors();

  begin(name: string, excuses: Excuses = {}): void {
    this.phases.push({ name, fromMs: performance.now(), ...excuses });
  }

  /** Whether every answer is that of the last acknowledged write, whichever replica gives it. */
  get isCalm(): boolean {
    return this.phases.at(-1)?.mayBeStale !== true;
  }

  /** Equal ones are counted. */
  note(problem: string, sample = ''): void {
    const one = this.found.get(problem) ?? { count: 0, samples: [] };
    this.found.set(problem, one);
    one.count++;
    if (sample !== '' && one.samples.length < SAMPLES) one.samples.push(sample.slice(0, 500));
  }

  get problems(): string[] {
    return [...this.found].map(([problem, { count, samples }]) => {
      const times = count > 1 ? ` (${count} times)` : '';
      return [`${problem}${times}`, ...samples].join('\n    ');
    });
  }

  /** Of the phases up to now. */
  tallyOf(name: string): Tally {
    const tally = this.tallies.get(name) ?? {
      answers: 0,
      results: 0,
      degraded: 0,
      durationsMs: [],
      errors: new Map<string, number>(),
    };
    this.tallies.set(name, tally);
    return tally;
  }

  sawHttp({ path, body = '', reply, at }: Observation): void {
    this.count(at);
    if (path !== '/rpc') return this.sawRest(reply.status, at);
    if (!this.documented.statuses.has(reply.status)) this.note(`status ${reply.status} is not documented`, reply.text);
    this.checked(() => checkReplies(body, reply.text));
    const calls = elementsOf(body) as { id?: unknown; method?: unknown }[];
    for (const outcome of elementsOf(reply.text) as (CallOutcome & { id?: unknown })[]) {
      const { method } = calls.find(({ id }) => id === outcome.id) ?? {};
      this.sawOutcome(String(method), calls.length > 1 ? 'batch' : 'HTTP', outcome, at);
    }
  }

  sawNats(method: string, outcome: CallOutcome, at: Call): void {
    this.count(at);
    this.checked(() => checkOutcome(method, outcome));
    this.sawOutcome(method, 'NATS', outcome, at);
  }

  /** A request over NATS had no reply. */
  sawSilence(method: string, error: string, at: Call): void {
    if (this.phasesOf(at).some(({ natsIsSilent }) => natsIsSilent)) return;
    this.note(`no reply over NATS in ${this.whenOf(at)}`, `${method} ${timesOf(at)}: ${error}`);
  }

  private sawRest(status: number, at: Call): void {
    if (!this.documented.restStatuses.has(status)) this.note(`DELETE: status ${status} is not documented`);
    if (status === 204) return this.countResult('DELETE', 'REST', at);
    this.countError(`HTTP ${status}`, at);
    if (status === 500) this.note('DELETE: status 500');
    if (status === 503 && !this.isExcused('STORE_UNAVAILABLE', at))
      this.note(`DELETE: status 503 in ${this.whenOf(at)}`);
  }

  private sawOutcome(method: string, way: string, { result, error }: CallOutcome, at: Call): void {
    if (!error) {
      if ((result as { degraded?: unknown } | null)?.degraded === true) this.tallyAt(at).degraded++;
      return this.countResult(method, way, at);
    }
    const word = wordOf(error) ?? '';
    const name = `${error.code}${word && ` ${word}`}`;
    this.countError(name, at);
    const sample = `${way} ${method} ${timesOf(at)}: ${JSON.stringify(error)}`;
    if (!this.documented.names(error)) this.note(`error ${name} is not documented`, sample);
    if (FAULTS.includes(word)) this.note(`error ${name}`, sample);
    if (FAILURES.includes(word) && !this.isExcused(word, at)) this.note(`error ${name} in ${this.whenOf(at)}`, sample);
  }

  private count(at: Call): void {
    const tally = this.tallyAt(at);
    tally.answers++;
    tally.durationsMs.push(at.endedAtMs - at.startedAtMs);
  }

  private countResult(method: string, way: string, at: Call): void {
    this.tallyAt(at).results++;
    const name = `${method} ${way}`;
    this.results.set(name, (this.results.get(name) ?? 0) + 1);
  }

  private countError(name: string, at: Call): void {
    const { errors } = this.tallyAt(at);
    errors.set(name, (errors.get(name) ?? 0) + 1);
  }

  private checked(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.note('a reply is not as its method is described', (error as Error).message);
    }
  }

  private tallyAt({ startedAtMs }: Call): Tally {
    return this.tallyOf(this.phases.findLast(({ fromMs }) => fromMs <= startedAtMs)?.name ?? 'before all');
  }

  private whenOf(at: Call): string {
    return `the phase "${this.phasesOf(at).at(-1)?.name}"`;
  }

  private isExcused(word: string, at: Call): boolean {
    return this.phasesOf(at).some(({ words = [] }) => words.includes(word));
  }

  /** Those in which the call was under way. */
  private phasesOf({ startedAtMs, endedAtMs }: Pick<Call, 'startedAtMs' | 'endedAtMs'>) {
    return this.phases.filter(({ fromMs }, i) => {
      const toMs = this.phases[i + 1]?.fromMs ?? Infinity;
      return fromMs <= endedAtMs && startedAtMs < toMs;
    });
  }
}

/** When and for how long the call was under way, by the clock of the logs. */
function timesOf({ replica, startedAtMs, endedAtMs }: Call): string {
  const startedAt = new Date(performance.timeOrigin + startedAtMs).toISOString();
  return `at ${replica}, ${startedAt}, ${Math.round(endedAtMs - startedAtMs)} ms`;
}

function elementsOf(text: string): unknown[] {
  try {
    return [JSON.parse(text) as unknown].flat().filter((one) => typeof one === 'object' && one !== null);
  } catch {
    return [];
  }
}
