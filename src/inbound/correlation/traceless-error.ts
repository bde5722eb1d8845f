/**
 * An error that says everything in its members. Where it was made is not recorded: to walk the stack takes longer than
 * all the rest of a refusal, and a caller who is refused may come a hundred thousand times a second.
 */
export class TracelessError extends Error {
  constructor(message: string) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
  }
}
