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
  const subjects = eventSubjects(names);
  const { config } = await manager.streams.info(name).catch((error: unknown) => {
    if (!(error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound)) throw error;
    const isCluster = client.info?.cluster !== undefined;
    return manager.streams.add({ ...SETTINGS, name, subjects, num_replicas: isCluster ? REPLICAS_IN_A_CLUSTER : 1 });
  });
  return { name, client: manager.jetstream(), missingSubjects: missingIn(config, subjects) };
}

/**
 * Why the stream does not take all events although the server responds; undefined if it does, if it is not there yet,
 * or if the server does not tell. Takes no longer than `timeoutMs`.
 */
export async function streamProblem(
  client: NatsClient,
  names: NatsNames,
  timeoutMs: number,
): Promise<string | undefined> {
  try {
    const manager = await jetstreamManager(client, { timeout: timeoutMs, checkAPI: false });
    const { config } = await manager.streams.info(names.stream);
    const missing = missingIn(config, eventSubjects(names));
    return missing.length > 0 ? lackOf(names.stream, missing) : undefined;
  } catch {
    return undefined;
  }
}

/** In words for the operator. */
export function lackOf(streamName: string, missingSubjects: readonly string[]): string {
  return `the stream ${streamName} lacks the subjects ${missingSubjects.join(', ')}`;
}

/** Each by name: a wildcard would also capture the requests, whose subjects begin with the same token. */
function eventSubjects(names: NatsNames): string[] {
  return DOMAIN_EVENT_TYPES.map((type) => names.subject(type));
}

function missingIn({ subjects: patterns }: StreamConfig, subjects: readonly string[]): string[] {
  return subjects.filter((subject) => !patterns.some((pattern) => matches(pattern, subject)));
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
