import type { Socket } from 'node:net';
import { shareOfPeer } from '../json-rpc/call-context';
import { networkOfAddress } from './peer-network';

const senders = new WeakMap<Socket, string>();

/**
 * Whose the next request of a connection probably is, before its headers are looked at: that of the caller who was
 * identified in it last, and of the peer in a new one. A share, as `shareOf` names them; proves nothing.
 */
export function senderOf(socket: Socket): string {
  return senders.get(socket) ?? shareOfPeer('http', networkOfAddress(socket.remoteAddress ?? ''));
}

export function noteSender(socket: Socket, share: string): void {
  senders.set(socket, share);
}
