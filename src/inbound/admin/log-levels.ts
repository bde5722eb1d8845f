/** The level of the log of this replica, which a restart forgets. */
export abstract class LogLevels<Level extends string = string> {
  /** From the one that shows most to the one that shows least. */
  abstract readonly choices: readonly Level[];
  /** That in force. */
  abstract readonly present: Level;
  /** A line of the log says so, in the name of `by`. */
  abstract change(level: Level, by: string): void;
}
