import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { attachmentCreated, causedBy, type DomainEvent } from '../../src/core/domain/domain-event';
import { checkDraft, createAttachment, type Attachment } from '../../src/core/domain/attachment';
import { ListAttachmentsParams } from '../../src/inbound/methods/attachments.params';

/** V8 has seen the code often enough by then to treat it as it does under load. */
const CALLS = 100;

setFlagsFromString('--allow-natives-syntax');
const haveSameClass = runInThisContext('(one, other) => %HaveSameMap(one, other)') as (
  one: object,
  other: object,
) => boolean;

function draftOf(call: number) {
  return checkDraft({ taskId: 'task', key: `key-${call}`, type: 'text', content: `content ${call}` }, 1024);
}

function attachmentOf(call: number): Attachment {
  const stamp = { version: 7e15 + 2 * call, op: `op-${call}` };
  return createAttachment(draftOf(call), { nowMs: 1.8e12 + call, idSuffix: String(call), createdBy: 'caller', stamp });
}

function eventOf(call: number): DomainEvent {
  return causedBy(attachmentCreated(attachmentOf(call), 'replica'), { credentialId: 'credential' });
}

/**
 * Objects of one kind have one hidden class, however many calls have made one. In V8 of Node.js 20, an object literal
 * with members behind a spread makes a class of its own each time.
 */
it.each<[string, (call: number) => object]>([
  ['checked drafts', draftOf],
  ['new attachments', attachmentOf],
  ['the metadata of events', (call) => eventOf(call).metadata],
  ['the commands of lists', () => new ListAttachmentsParams().toCommand()],
])('%s have one hidden class', (_, make) => {
  const objects = Array.from({ length: CALLS }, (_, call) => make(call));
  const changes = objects.filter((object, i) => i > 0 && !haveSameClass(objects[i - 1] as object, object));
  // The first ones teach V8 of what kind their members are.
  expect(changes.length).toBeLessThan(10);
});
