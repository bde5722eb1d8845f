import type { Random } from './random';
import type { Timeline } from './timeline';

/** `refused`: every call fails at once. `silent`: nothing comes back; what is sent may arrive when it is over. */
export type Blockage = 'refused' | 'silent';
export type Failure = 'unavailable' | 'timeout';

/** How messages travel. Milliseconds each way. */
export interface Weather {
  readonly delayMs: number;
  /** Share of requests, and of replies, that never arrive. */
  readonly lossShare: number;
  /** Share of messages that take up to `slowMs`. */
  readonly slowShare: number;
  readonly slowMs: number;
}

/** Who calls: is told what came of it. */
export interface CallWitness {
  answered(call: FinishedCall, reply: unknown): void;
  failed(call: FinishedCall, failure: Failure): void;
}

export interface FinishedCall {
  readonly server: string;
  readonly method: string;
  readonly tookMs: number;
}

export interface ConnectionOptions {
  readonly name: string;
  readonly server: 'postgres' | 'redis' | 'nats';
  /** Commands take effect, and get their replies, in the order in which they were sent. */
  readonly isOrdered: boolean;
  readonly failure: (failure: Failure) => Error;
}

export interface CallOptions {
  readonly method: string;
  readonly timeoutMs: number;
  /** How long the server will take for it, beside the way. */
  readonly workMs?: number;
  readonly witness: CallWitness;
}

class Call {
  /** The caller has its answer, or is no more. */
  isOver = false;
  /** It will not take effect. */
  isLost = false;

  constructor(
    readonly options: CallOptions,
    readonly sentAtMs: number,
    readonly generation: number,
    readonly effect: (generation: number) => Promise<unknown>,
    readonly resolve: (value: never) => void,
    readonly reject: (error: unknown) => void,
  ) {}

  get timeoutAtMs(): number {
    return this.sentAtMs + this.options.timeoutMs;
  }
}

/** Ordinary ways take no longer than this. */
const ORDINARY_MS = 300;

/**
 * What lies between one process and one server. A call can fail before its effect, after it, or long before it: what
 * has been sent may still take effect when the caller has given up, or has died.
 */
export class Connection {
  /** Counts how often the connection has become ready. */
  generation = 1;
  private isReady = true;
  private isDead = false;
  private blockage?: Blockage;
  /** The server has died since the connection was made. */
  private isBroken = false;
  /** No caller has got a reply. */
  private readonly pending = new Set<Call>();
  /** Sent, and without an effect yet. */
  private readonly underWay = new Set<Call>();
  private held: Call[] = [];
  private lastEffectMs = 0;
  private lastReplyMs = 0;

  constructor(
    private readonly timeline: Timeline,
    private readonly random: Random,
    private readonly weather: Weather,
    private readonly options: ConnectionOptions,
    private readonly trace?: (line: string) => void,
  ) {}

  send<T>(options: CallOptions, effect: (generation: number) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.isDead) return;
      const call = new Call(options, this.timeline.nowMs, this.generation, effect, resolve, reject);
      this.pending.add(call);
      this.dispatch(call);
    });
  }

  /** From now on nothing passes. `isServerDead`: what has not taken effect never will. */
  block(blockage: Blockage, isServerDead: boolean): void {
    if (isServerDead) {
      this.lose(1);
      this.isBroken = true;
    }
    if (this.isDead || this.blockage) return;
    this.blockage = blockage;
    this.lose(0.5);
    for (const call of this.pending) {
      if (blockage === 'refused') this.fail(call, 'unavailable');
      else this.failAtTimeout(call);
    }
  }

  unblock(): void {
    if (this.isDead || !this.blockage) return;
    const { blockage, held, isBroken } = this;
    this.blockage = undefined;
    this.held = [];
    this.isBroken = false;
    // What was sent to a server that had died reaches no other.
    if (!isBroken) for (const call of held) this.deliver(call);
    if (this.options.isOrdered && (blockage === 'refused' || isBroken || this.random.chance(0.5))) this.reconnect();
  }

  /** Nothing that is pending gets a reply; it takes effect before anything that is sent afterwards, or not at all. */
  reconnect(): void {
    if (this.isDead || this.blockage) return;
    this.lose(0.5);
    for (const call of this.pending) this.fail(call, 'unavailable');
    if (!this.isReady) return;
    this.isReady = false;
    this.timeline.after(1 + this.random.int(60), () => {
      this.isReady = true;
      this.generation += 1;
      this.lastReplyMs = this.timeline.nowMs;
      this.trace?.(`${this.options.name} is connected to ${this.options.server}, generation ${this.generation}`);
    });
  }

  /** The process is no more. */
  die(): void {
    this.isDead = true;
    this.lose(0.5);
    for (const call of this.pending) call.isOver = true;
    this.pending.clear();
  }

  /** Some of what is on its way never arrives. */
  private lose(share: number): void {
    for (const call of this.underWay) call.isLost ||= this.random.chance(share);
    if (share === 1) this.held = [];
  }

  private dispatch(call: Call): void {
    if (this.blockage === 'refused' || !this.isReady) {
      this.timeline.after(1, () => this.fail(call, 'unavailable'));
      return;
    }
    const isSilent = this.blockage === 'silent';
    call.isLost = this.random.chance(isSilent ? 0.5 : this.weather.lossShare);
    if (call.isLost || isSilent) this.failAtTimeout(call);
    if (call.isLost) return;
    this.underWay.add(call);
    if (isSilent) this.held.push(call);
    else this.deliver(call);
  }

  private deliver(call: Call): void {
    const arrivesAtMs = this.timeline.nowMs + this.delayMs();
    const effectAtMs = this.options.isOrdered ? Math.max(arrivesAtMs, this.lastEffectMs) : arrivesAtMs;
    this.lastEffectMs = effectAtMs;
    const patienceMs = call.timeoutAtMs - effectAtMs - (call.options.workMs ?? 0);
    if (patienceMs < ORDINARY_MS) this.failAtTimeout(call);
    this.timeline.at(effectAtMs, () => this.takeEffect(call));
  }

  private takeEffect(call: Call): void {
    this.underWay.delete(call);
    if (call.isLost) {
      this.trace?.(`  ${this.options.server} never gets ${call.options.method} of ${this.options.name}`);
      return;
    }
    const late = call.isOver ? ' (its caller has stopped waiting)' : '';
    this.trace?.(`  ${this.options.server} takes ${call.options.method} of ${this.options.name}${late}`);
    call.effect(call.generation).then(
      (value) =>
        this.reply(call, value, () => {
          call.options.witness.answered(this.finished(call), value);
          call.resolve(value as never);
        }),
      (error: unknown) =>
        this.reply(call, error, () => {
          call.options.witness.failed(this.finished(call), 'unavailable');
          call.reject(error);
        }),
    );
  }

  private reply(call: Call, value: unknown, settle: () => void): void {
    this.trace?.(`  ${this.options.server} answers ${call.options.method} of ${this.options.name}: ${brief(value)}`);
    if (call.isOver) return;
    const atMs = Math.max(this.timeline.nowMs + this.delayMs(), this.options.isOrdered ? this.lastReplyMs : 0);
    const isTooLate = atMs > call.timeoutAtMs;
    if (this.blockage === 'silent' || isTooLate || this.random.chance(this.weather.lossShare)) {
      this.failAtTimeout(call);
      return;
    }
    this.lastReplyMs = atMs;
    this.timeline.at(atMs, () => this.finish(call, settle));
  }

  private failAtTimeout(call: Call): void {
    this.timeline.at(call.timeoutAtMs, () => this.fail(call, 'timeout'));
  }

  private fail(call: Call, failure: Failure): void {
    this.finish(call, () => {
      this.trace?.(`  ${call.options.method} of ${this.options.name} fails: ${failure} of ${this.options.server}`);
      call.options.witness.failed(this.finished(call), failure);
      call.reject(this.options.failure(failure));
    });
  }

  private finish(call: Call, settle: () => void): void {
    if (call.isOver) return;
    call.isOver = true;
    this.pending.delete(call);
    settle();
  }

  private finished({ options, sentAtMs }: Call): FinishedCall {
    return { server: this.options.server, method: options.method, tookMs: this.timeline.nowMs - sentAtMs };
  }

  private delayMs(): number {
    const { delayMs, slowShare, slowMs } = this.weather;
    return 1 + this.random.int(this.random.chance(slowShare) ? slowMs : delayMs);
  }
}

function brief(value: unknown): string {
  const text = value instanceof Error ? value.message : JSON.stringify(value, shorten);
  return text === undefined ? 'done' : text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** Whatever is the same in all of a schedule's stories is left out. */
function shorten(name: string, value: unknown): unknown {
  if (value instanceof Set) return [...(value as Set<unknown>)];
  return ['payload', 'createdBy', 'instanceId', 'type', 'bytes', 'updatedAtMs'].includes(name) ? undefined : value;
}
