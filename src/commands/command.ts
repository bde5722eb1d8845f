/** A sub-command of `dossier`: it runs and ends. */
export interface Command {
  /** The words that call it. */
  readonly name: string;
  /** Its arguments, as the usage shows them. */
  readonly usage: string;
  readonly description: string;
  /** Rejects with the reason if it could not be done. */
  run(args: readonly string[]): Promise<void>;
}

/** The arguments of a command are wrong. */
export class UsageError extends Error {}
