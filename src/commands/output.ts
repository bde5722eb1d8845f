/** Options of every command that has a result. */
export interface OutputOptions {
  /** One line of JSON instead of text for people. */
  readonly json?: boolean;
}

/** What a command has to say. */
export function print({ json }: OutputOptions, result: object, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(result) : text}\n`);
}
