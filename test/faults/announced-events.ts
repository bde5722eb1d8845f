import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { DomainEvent } from '../../src/core/domain/domain-event';

const SUBJECTS = ['task.attachment_created', 'task.attachment.deleted', 'task.created', 'task.deleted'];

/** Receives the events of tasks and attachments as they are published, repeated ones included. */
export class AnnouncedEvents {
  private readonly events: DomainEvent[] = [];

  private constructor(private readonly client: NatsConnection) {}

  static async follow(natsUrl: string): Promise<AnnouncedEvents> {
    const client = await connect({ servers: natsUrl });
    const announced = new AnnouncedEvents(client);
    const callback = (error: Error | null, message: { json<T>(): T }) => {
      if (!error) announced.events.push(message.json<DomainEvent>());
    };
    for (const subject of SUBJECTS) client.subscribe(subject, { callback });
    await client.flush();
    return announced;
  }

  /** The ids of the events of these tasks, in the order in which they were published. */
  idsOf(taskIds: readonly string[]): string[] {
    const ofTasks = this.events.filter(({ payload }) =>
      taskIds.includes((payload['taskId'] ?? payload['id']) as string),
    );
    return ofTasks.map(({ metadata }) => metadata.eventId);
  }

  stop(): Promise<void> {
    return this.client.close();
  }
}
