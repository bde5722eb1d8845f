import type { DomainEvent } from '../core/domain/domain-event';
import type { JournaledWrite } from '../core/ports/attachment-journal';

export function eventOf(write: JournaledWrite): DomainEvent {
  return 'put' in write ? write.put.event : write.deletion.event;
}
