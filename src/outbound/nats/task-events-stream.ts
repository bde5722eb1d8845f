import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamClient,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos, type NatsConnection as NatsClient } from '@nats-io/transport-node';
import { DOMAIN_EVENT_TYPES } from '../../core/domain/domain-event';
import { HISTORY_RETENTION_MS } from '../../core/ports/outbox';

export const STREAM_NAME = 'TASK_EVENTS';
const DUPLICATE_WINDOW_MS = 2 * 60_000;
const REPLICAS_IN_A_CLUSTER = 3;
const API_TIMEOUT_MS = 2000;

/** Each subject by name: a wildcard would also capture the requests, whose subjects begin with the same token. */
const STREAM = {
  name: STREAM_NAME,
  description: 'What has happened to tasks and their attachments',
  subjects: [...DOMAIN_EVENT_TYPES],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  max_age: nanos(HISTORY_RETENTION_MS),
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
} satisfies Partial<StreamConfig>;

/** Creates the stream if it is missing. An existing stream keeps the settings of its operator. */
export async function openTaskEventsStream(client: NatsClient): Promise<JetStreamClient> {
  const manager = await jetstreamManager(client, { timeout: API_TIMEOUT_MS });
  try {
    await manager.streams.info(STREAM_NAME);
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound)) throw error;
    const isCluster = client.info?.cluster !== undefined;
    await manager.streams.add({ ...STREAM, num_replicas: isCluster ? REPLICAS_IN_A_CLUSTER : 1 });
  }
  return manager.jetstream();
}

/** Whether the error says that the server, or the account on it, has no JetStream. */
export function isWithoutJetStream(error: unknown): boolean {
  // The client does not export the class.
  return error instanceof Error && error.name === 'JetStreamNotEnabled';
}
