import { connect } from '@nats-io/transport-node';
import { until } from './poll';

/** A replica takes requests over NATS soon after its start, but not at once. */
export async function untilServedOverNats(natsUrl: string, replicas = 1): Promise<void> {
  const client = await connect({ servers: natsUrl });
  const found = async () => {
    let count = 0;
    for await (const _ of await client.requestMany('$SRV.PING.dossier', '', {
      strategy: 'count',
      maxMessages: replicas,
      maxWait: 2000,
    })) {
      count += 1;
    }
    return count === replicas;
  };
  try {
    // Without any, the server says so at once.
    await until('the replicas take requests', () => found().catch(() => false));
  } finally {
    await client.close();
  }
}
