import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { addressRanges, networkOfAddress } from './peer-network';

/** Bounds the connections of each peer, so that one peer cannot use up the descriptors of the process. */
export class ConnectionsPerPeer {
  private readonly open = new Map<string, number>();
  private readonly isTrusted: (address: string) => boolean;

  constructor(
    private readonly max: number,
    /** Addresses and CIDR ranges of proxies, which carry the requests of many peers. */
    trustedProxies: readonly string[],
  ) {
    this.isTrusted = addressRanges(trustedProxies);
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.add(socket));
  }

  private add(socket: Socket): void {
    const { remoteAddress = '' } = socket;
    if (this.isTrusted(remoteAddress)) return;
    const peer = networkOfAddress(remoteAddress);
    const count = this.open.get(peer) ?? 0;
    if (count >= this.max) {
      socket.destroy();
      return;
    }
    this.open.set(peer, count + 1);
    socket.once('close', () => this.remove(peer));
  }

  private remove(peer: string): void {
    const left = (this.open.get(peer) as number) - 1;
    if (left === 0) this.open.delete(peer);
    else this.open.set(peer, left);
  }
}
