import { Command, type Cluster, type Redis } from 'ioredis';
import { inTime } from './answers';
import type { RedisKeys } from './redis-keys';

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

/** The shards whose master does not answer, or is not known. */
export async function unavailableShards(
  cluster: Cluster,
  keys: RedisKeys,
  timeoutMs: number,
): Promise<readonly number[]> {
  const asked = cluster.nodes('master').map(async (master) => {
    const isAnswer = await inTime(master.ping(), timeoutMs).then(
      () => true,
      () => false,
    );
    return isAnswer ? [`${master.options.host}:${master.options.port}`] : [];
  });
  const answering = new Set((await Promise.all(asked)).flat());
  return keys.shards.filter((shard) => {
    const slot = new Command('llen', [keys.journal(shard)]).getSlot();
    const [master] = cluster.slots[slot] ?? [];
    return master === undefined || !answering.has(master);
  });
}

async function untilReadyOrEnded(node: Redis): Promise<void> {
  if (node.status === 'ready' || node.status === 'end') return;
  await new Promise<void>((resolve) => {
    node.once('ready', resolve);
    node.once('end', resolve);
  });
}
