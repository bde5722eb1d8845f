import type { AttachmentRef } from '../../core/domain/attachment';
import { DOMAIN_EVENT_TYPES, ofStored, type DomainEvent } from '../../core/domain/domain-event';
import { isTraceparent, isTracestate, type TraceContext } from '../../core/domain/trace-context';
import { refOf, type JournalEntry, type JournaledWrite } from '../../core/ports/attachment-journal';
import type { AttachmentDeletion, AttachmentPut } from '../../core/ports/attachment-write';
import { fromHash, toHash, type HashFields } from './attachment-hash';

/**
 * Of the text of an entry. A format with a higher number also has `taskId` and `key`, and begins with op and id: a
 * replica that does not know the rest leaves the entry to those that do. Entries without a format are of the first one.
 */
const FORMAT = 1;

/** The entry without the op and the replaced id, which the script puts before it. */
export function toText(write: JournaledWrite): string {
  const { organization } = write;
  const ref = refOf(write);
  if ('put' in write) {
    const { attachment, event } = write.put;
    return JSON.stringify({
      format: FORMAT,
      ...ref,
      organization,
      put: { attachment: toHash(attachment), event },
    });
  }
  const { stamp, event } = write.deletion;
  // Version 0.1.0 reads no deletion without `force`.
  const deletion = { version: stamp.version, force: false, event };
  return JSON.stringify({ format: FORMAT, ...ref, organization, deletion });
}

/** Undefined for anything that `toText` and the script would not have written together. */
export function fromText(text: string): Omit<JournalEntry, 'generation'> | undefined {
  const [, op, replacedId, json] = /^([0-9a-f-]{36}) (\S+) (\{.*)$/s.exec(text) ?? [];
  const members = json === undefined ? undefined : parsed(json);
  if (op === undefined || !isRecord(members)) return undefined;
  const { format = FORMAT, taskId, key, organization } = members;
  if (typeof taskId !== 'string' || typeof key !== 'string') return undefined;

  const ref = { taskId, key };
  if (typeof format === 'number' && format > FORMAT) return { ref, op };
  if (format !== FORMAT || typeof organization !== 'string') return undefined;
  const storedId = replacedId === '-' ? undefined : replacedId;
  const put = putOf(members['put'], ref, op, storedId);
  if (put) return { ref, op, write: { organization, put } };
  const deletion = deletionOf(members['deletion'], ref, op, storedId);
  return deletion && { ref, op, write: { organization, deletion } };
}

function putOf(put: unknown, ref: AttachmentRef, op: string, storedId?: string): AttachmentPut | undefined {
  if (!isRecord(put) || !isHash(put['attachment'])) return undefined;
  const attachment = fromHash(ref, put['attachment']);
  const event = eventOf(put['event'], op, storedId);
  return attachment?.op === op && event ? { attachment, event } : undefined;
}

function deletionOf(
  deletion: unknown,
  ref: AttachmentRef,
  op: string,
  storedId?: string,
): AttachmentDeletion | undefined {
  if (!isRecord(deletion)) return undefined;
  const { version } = deletion;
  const event = eventOf(deletion['event'], op, storedId);
  if (typeof version !== 'number' || !event) return undefined;
  return { ...ref, stamp: { version, op }, event };
}

function eventOf(event: unknown, op: string, storedId?: string): DomainEvent | undefined {
  if (!isRecord(event) || typeof event['timestamp'] !== 'number') return undefined;
  const type = DOMAIN_EVENT_TYPES.find((known) => known === event['type']);
  const { payload, metadata, timestamp } = event;
  if (!type || !isRecord(payload) || !isRecord(metadata) || metadata['eventId'] !== op) return undefined;
  const trace = traceOf(event['trace']);
  const announced = { type, payload, metadata: { ...metadata, eventId: op }, timestamp, ...(trace && { trace }) };
  return storedId === undefined ? announced : ofStored(announced, storedId);
}

/** Earlier versions of the service ignore it. */
function traceOf(trace: unknown): TraceContext | undefined {
  if (!isRecord(trace) || !isTraceparent(trace['traceparent'])) return undefined;
  const { traceparent, tracestate } = trace;
  return isTracestate(tracestate) ? { traceparent, tracestate } : { traceparent };
}

function isHash(value: unknown): value is HashFields {
  return isRecord(value) && Object.values(value).every((text) => typeof text === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
