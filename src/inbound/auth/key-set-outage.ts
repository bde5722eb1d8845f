import { errors } from 'jose';

/** Says why the key set is unavailable: each reason once, until the set has been fetched. */
export class KeySetOutage {
  private readonly reasons = new Set<string>();
  private readonly address: string;
  private fetchedAtMs?: number;

  constructor(
    jwksUrl: string,
    private readonly timeoutMs: number,
    private readonly say: (line: string) => void,
  ) {
    const { origin, pathname } = new URL(jwksUrl);
    // The query may hold a secret.
    this.address = `${origin}${pathname}`;
  }

  add(error: unknown): void {
    const reason = this.reasonOf(error);
    if (this.reasons.has(reason)) return;
    this.reasons.add(reason);
    this.say(`the key set at ${this.address} is unavailable: ${reason}`);
  }

  /** Ends it if the set has been fetched since the last call. */
  endIfFetched(atMs: number | undefined): void {
    if (atMs !== this.fetchedAtMs) this.reasons.clear();
    this.fetchedAtMs = atMs;
  }

  /** Of an answer that is no JSON the parser would quote a part, and the message of `fetch` says nothing. */
  private reasonOf(error: unknown): string {
    const { cause, message } = error as Error & { readonly cause?: Partial<AggregateError> };
    const isLate = error instanceof errors.JWKSTimeout || cause?.name === 'TimeoutError';
    if (isLate) return `no answer in ${this.timeoutMs} ms`;
    if (error instanceof errors.JOSEError) return message;
    // There is one error for each address of a host name.
    const [first = cause] = (cause?.errors ?? []) as readonly Error[];
    return first?.message ?? message;
  }
}
