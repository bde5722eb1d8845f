import { Redis } from 'ioredis';

/** What MONITOR says of commands that a script runs. */
const SCRIPT = 'lua';

/** Counts the commands that clients send to some Redis servers: without those that scripts run. */
export class RedisCommandCounter {
  count = 0;

  private constructor(private readonly clients: Redis[]) {}

  static async of(nodes: readonly { readonly port: number }[]): Promise<RedisCommandCounter> {
    const counter = new RedisCommandCounter([]);
    for (const { port } of nodes) {
      const client = new Redis(port, '127.0.0.1');
      const monitor = await client.monitor();
      counter.clients.push(client, monitor);
      monitor.on('monitor', (_time: string, _args: readonly string[], source: string) => {
        if (source !== SCRIPT) counter.count += 1;
      });
    }
    return counter;
  }

  stop(): void {
    for (const client of this.clients) client.disconnect();
  }
}
