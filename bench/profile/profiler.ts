// Loaded into a measured process before its own code: profiles it from one message of its parent to the next, and sends
// the profile back. The profiler itself is loaded with the first message, as how long a start takes is measured, too.
import type { Session } from 'node:inspector/promises';

let session: Session | undefined;

async function toggle(): Promise<unknown> {
  if (session) {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    session = undefined;
    return profile;
  }
  const inspector = await import('node:inspector/promises');
  session = new inspector.Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  return {};
}

process.on('message', () => void toggle().then((reply) => process.send?.(reply)));
process.channel?.unref();
