/** A sub-command of `dossier`: it runs and ends. */
export interface Command {
  /** The words that call it. */
  readonly name: string;
  /** Its arguments, as the usage shows them. */
  readonly usage: string;
  readonly description: string;
  /** Throws or rejects with the reason if it could not be done: with `UsageError` for arguments that it does not take. */
  run(args: readonly string[]): void | Promise<void>;
}

/** The arguments of a command are wrong. */
export class UsageError extends Error {}

/** A misspelt option must not be taken for none. */
export function refuseMore(args: readonly string[]): void {
  if (args.length > 0) throw new UsageError(`unknown argument ${JSON.stringify(args[0])}`);
}
