/** W3C Trace Context: the trace that a piece of work belongs to, and its place there. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** Version 00 ends behind the flags; a later version may go on with another dash. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[\x21-\x7e]*)?$/;
/** The specification names no limit; what it defines has 55 characters. */
const MAX_LENGTH = 128;

/** Whether it is one that the W3C recommendation accepts; a header that was sent twice is not. */
export function isTraceparent(sent: unknown): sent is string {
  return parts(sent) !== undefined;
}

/** Whether it can be passed on; what it says is for others to judge. */
export function isTracestate(sent: unknown): sent is string {
  return typeof sent === 'string' && /^[\x20-\x7e]{1,512}$/.test(sent);
}

/** The trace id, 32 lower-case hexadecimal digits; undefined if the text is not valid. */
export function traceIdOf(traceparent: unknown): string | undefined {
  return parts(traceparent)?.[2];
}

function parts(sent: unknown): RegExpExecArray | undefined {
  if (typeof sent !== 'string' || sent.length > MAX_LENGTH) return undefined;
  const found = TRACEPARENT.exec(sent);
  return found && (found[1] !== '00' || found[3] === undefined) ? found : undefined;
}
