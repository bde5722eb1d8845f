import { Client } from 'pg';

/** Runs some work with a session of PostgreSQL, and ends it, even if the work fails. */
export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
