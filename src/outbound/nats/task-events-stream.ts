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
import type { NatsNames } from './nats-names';

const DUPLICATE_WINDOW_MS = 2 * 60_000;
const REPLICAS_IN_A_CLUSTER = 3;
const API_TIMEOUT_MS = 2000;

const SETTINGS = {
  description: 'What has happened to tasks and their attachments',
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  max_age: nanos(HISTORY_RETENTION_MS),
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
} satisfies Partial<StreamConfig>;

/** The stream of one deployment, open for publishing. */
export interface TaskEventsStream {
  readonly name: string;
  readonly client: JetStreamClient;
  /** Subjects of ours that the operator's stream does not have: it would not take their events. */
  readonly missingSubjects: readonly string[];
}

/** Creates the stream if it is missing. An existing stream keeps the settings of its operator. */
export async function openTaskEventsStream(client: NatsClient, names: NatsNames): Promise<TaskEventsStream> {
  const manager = await jetstreamManager(client, { timeout: API_TIMEOUT_MS });
  const { stream: name } = names;
  // Each by name: a wildcard would also capture the requests, whose subjects begin with the same token.
  const subjects = DOMAIN_EVENT_TYPES.map((type) => names.subject(type));
  const { config } = await manager.streams.info(name).catch((error: unknown) => {
    if (!(error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound)) throw error;
    const isCluster = client.info?.cluster !== undefined;
    return manager.streams.add({ ...SETTINGS, name, subjects, num_replicas: isCluster ? REPLICAS_IN_A_CLUSTER : 1 });
  });
  const missingSubjects = subjects.filter((subject) => !config.subjects.some((pattern) => matches(pattern, subject)));
  return { name, client: manager.jetstream(), missingSubjects };
}

/** `*` stands for one token, `>` for all that follow. */
function matches(pattern: string, subject: string): boolean {
  const tokens = subject.split('.');
  const parts = pattern.split('.');
  if (parts.at(-1) === '>') return tokens.length >= parts.length && parts.slice(0, -1).every(isToken);
  return tokens.length === parts.length && parts.every(isToken);

  function isToken(part: string, i: number): boolean {
    return part === '*' || part === tokens[i];
  }
}

/** Whether the error says that the server, or the account on it, has no JetStream. */
export function isWithoutJetStream(error: unknown): boolean {
  // The client does not export the class.
  return error instanceof Error && error.name === 'JetStreamNotEnabled';
}
