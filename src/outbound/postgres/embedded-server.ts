import { setTimeout as sleep } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';

/** Between two attempts to start again: each takes a third of a second of the process. */
const RETRY_MS = 5000;
/** PostgreSQL's own code for it, by which callers are told that the store is unavailable. */
const CANNOT_CONNECT_NOW = '57P03';

type Execute = PGlite['execProtocolStream'];
type Replies = Awaited<ReturnType<Execute>>;

/**
 * PostgreSQL in this process, as its driver needs it. It ends by itself when it cannot write its log, as on a full
 * disk: PGlite would go on with what is left of it, and never answer again. So it is started anew, which recovers
 * everything that was acknowledged; until then every statement fails.
 */
export class EmbeddedServer {
  /** Of the present session, in which the driver notes what it has prepared. */
  preparedStatements = {};
  private running?: PGlite;
  private readonly stopping = new AbortController();
  private recovery: Promise<void> = Promise.resolve();

  constructor(
    first: PGlite,
    private readonly open: () => Promise<PGlite>,
    /** Called when it has ended by itself, and when it is there again. */
    private readonly onChange: (change: 'ended' | 'recovered', reason?: string) => void,
  ) {
    this.running = first;
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** The driver waits for it before it connects. */
  readonly waitReady = Promise.resolve();

  readonly execProtocolStream: Execute = async (message, options) => {
    const { running } = this;
    if (!running) throw Object.assign(new Error('the embedded database recovers'), { code: CANNOT_CONNECT_NOW });
    try {
      const replies = await running.execProtocolStream(message, options);
      const panic = panicIn(replies);
      if (panic !== undefined) this.hasEnded(running, panic);
      return replies;
    } catch (error) {
      // What PostgreSQL refuses is a reply.
      this.hasEnded(running, String(error));
      throw error;
    }
  };

  async close(): Promise<void> {
    this.stopping.abort();
    await this.recovery;
    await this.running?.close();
  }

  private hasEnded(server: PGlite, reason: string): void {
    if (this.running === server) this.recovery = this.recover(server, reason);
  }

  private async recover(ended: PGlite, reason: string): Promise<void> {
    this.running = undefined;
    this.preparedStatements = {};
    this.onChange('ended', reason);
    closeFilesOf(ended);
    while (!this.running && !this.stopping.signal.aborted) {
      this.running = await this.open().catch(() => undefined);
      if (!this.running) await sleep(RETRY_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
    if (this.running) this.onChange('recovered');
  }
}

/** PGlite does it only when it closes in order, which takes a server that answers. */
function closeFilesOf({ Module }: PGlite): void {
  try {
    (Module.FS as unknown as { quit(): void }).quit();
  } catch {
    // They end with the process.
  }
}

function panicIn(replies: Replies): string | undefined {
  const panic = replies.find((reply) => 'severity' in reply && reply.severity === 'PANIC');
  return panic && String((panic as unknown as Error).message);
}
