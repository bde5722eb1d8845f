import { jsonElements, jsonMembers, JsonText } from '../../../../src/core/domain/json-text';

/** What a method returns, made of the text that is written of it. */
export function viewOf(text: string): object {
  const view = JSON.parse(text) as Record<string, unknown>;
  const members = jsonMembers(text);
  const [value, attachments] = [members.get('value'), members.get('attachments')];
  if (value !== undefined) view['value'] = JsonText.restore(value);
  if (attachments !== undefined) {
    view['attachments'] = jsonElements(attachments).map((one) => (one === 'null' ? null : viewOf(one)));
  }
  return view;
}
