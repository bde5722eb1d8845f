import type { Cluster, Redis } from 'ioredis';

/**
 * Connects to each master of a cluster when the client learns of it. The client by itself would connect with the first
 * command to a master, and refuse all others until the connection is there.
 */
export function connectMasters(cluster: Cluster): void {
  const connect = () => {
    for (const master of cluster.nodes('master')) {
      // The events of the client report the reason.
      if (master.status === 'wait') master.connect().catch(() => undefined);
    }
  };
  // The client first asks one of them for the state of the cluster, and it would refuse even this command.
  cluster.on('refresh', () => process.nextTick(connect));
}

/** Resolves when each of them takes commands, or could not be reached. */
export async function untilConnected(nodes: readonly Redis[]): Promise<void> {
  await Promise.all(nodes.map(untilReadyOrEnded));
}

async function untilReadyOrEnded(node: Redis): Promise<void> {
  if (node.status === 'ready' || node.status === 'end') return;
  await new Promise<void>((resolve) => {
    node.once('ready', resolve);
    node.once('end', resolve);
  });
}
