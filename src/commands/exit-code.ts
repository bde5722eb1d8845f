import { StoreError } from '../core/ports/store-error';

/** What a command ends with; `docs/cli.md` and the help list them. */
export const EXIT = {
  done: 0,
  /** Wrong arguments or settings, or something that this machine could not do. */
  failed: 1,
  /** The service has refused it: the same again is refused again. */
  refused: 3,
  /** The same may succeed later: nothing can be reached, or too much is going on. */
  unavailable: 4,
  /** As shells report Ctrl-C. */
  interrupted: 130,
} as const;

const PASSING: readonly StoreError['outcome'][] = ['unavailable', 'timeout', 'busy'];

/** Ends the command with another exit code than `EXIT.failed`. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode: (typeof EXIT)[keyof typeof EXIT],
  ) {
    super(message);
  }
}

/** The arguments of a command are wrong. */
export class UsageError extends Error {}

/** What a command ends with if this was thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return error.exitCode;
  const mayPass = error instanceof StoreError && PASSING.includes(error.outcome);
  return mayPass ? EXIT.unavailable : EXIT.failed;
}
