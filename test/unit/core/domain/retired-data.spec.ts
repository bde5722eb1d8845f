import { DomainError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { splitRetiredData } from '../../../../src/core/domain/retired-data';

const members = (count: number) => Array.from({ length: count }, (_, i) => `"m${i}":{}`).join(',');

describe('metadata with more members than can be kept is refused before it is taken apart', () => {
  it.each([
    ['metadata', `{${members(60_000)}}`, 'must have at most 16384 members'],
    ...[60_000, 101].map((count) => [
      'metadata.data',
      `{"data":{${members(count)}}}`,
      'must have at most 100 members: add the others with task.create_attachment',
    ]),
  ])('%s', (field, text, message) => {
    const metadata = JsonText.fromValid(text);
    const takenApart = jest.spyOn(JsonText, 'fromMembers');
    try {
      let refusal: unknown;
      try {
        splitRetiredData(metadata);
      } catch (error) {
        refusal = error;
      }
      const errors = [{ field, message }];
      expect(refusal).toEqual(new DomainError({ kind: 'invalid', errors }));
      expect(takenApart).not.toHaveBeenCalled();
    } finally {
      takenApart.mockRestore();
    }
  });

  it('what fits is split', () => {
    const { metadata, data } = splitRetiredData(JsonText.fromValid(`{"a":1,"data":{${members(100)}}}`));
    expect([metadata.text, data?.size]).toEqual(['{"a":1}', 100]);
  });
});
