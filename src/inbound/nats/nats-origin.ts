import { Match, type MsgHdrs } from '@nats-io/transport-node';
import { isTraceparent, type TraceContext } from '../../core/domain/trace-context';
import type { Authenticator, ReadHeader } from '../auth/authenticator';
import { isPrintableName } from '../auth/printable-name';
import { callIds, type CallIds } from '../correlation/call-ids';
import { isRequestId, REQUEST_ID_HEADER, requestIdOf } from '../correlation/request-id';
import type { CallOrigin } from '../json-rpc/call-context';

export interface NatsOrigin extends CallOrigin {
  /** Whether the sender gave the id of the request: then it expects it in the reply. */
  readonly gaveId: boolean;
}

/** Never rejects. The trace of the sender counts only if `isTraced`. */
export async function natsOrigin(
  sent: MsgHdrs | undefined,
  authenticator: Authenticator,
  isTraced: boolean,
): Promise<NatsOrigin> {
  const readHeader = headerReader(sent);
  const claimedName = readHeader('x-instance-id');
  const peer = isPrintableName(claimedName) ? claimedName : '';
  const ids = natsIds(sent);
  const identity = await authenticator.identify(readHeader, `NATS client ${JSON.stringify(peer)}`, ids);
  const gaveId = isRequestId(readHeader(REQUEST_ID_HEADER));
  return { transport: 'nats', identity, peer, ids, gaveId, trace: isTraced ? traceOf(readHeader) : undefined };
}

export function natsIds(sent: MsgHdrs | undefined): CallIds {
  const readHeader = headerReader(sent);
  return callIds(requestIdOf(readHeader(REQUEST_ID_HEADER)), readHeader('traceparent'));
}

function traceOf(readHeader: ReadHeader): TraceContext | undefined {
  const [traceparent, tracestate] = [readHeader('traceparent'), readHeader('tracestate')];
  return isTraceparent(traceparent) ? { traceparent, tracestate } : undefined;
}

/** Several values make one wrong one, as over HTTP: of two keys neither counts. */
function headerReader(sent: MsgHdrs | undefined): ReadHeader {
  return (name) => (sent?.has(name, Match.IgnoreCase) ? sent.values(name, Match.IgnoreCase).join(', ') : undefined);
}
