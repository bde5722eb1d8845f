/** The message of the error behind an error: the operator needs what the server said, not which call failed. */
export function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  // It holds one error for each address of a host name, and has no message of its own.
  if (cause instanceof AggregateError && cause.errors.length > 0) return causeOf(cause.errors[0]);
  return cause instanceof Error ? cause.message : String(cause);
}
