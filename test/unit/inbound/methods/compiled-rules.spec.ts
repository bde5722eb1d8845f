import { validateSync, ValidateNested } from 'class-validator';
import fc from 'fast-check';
import * as attachments from '../../../../src/inbound/methods/attachments.params';
import * as tasks from '../../../../src/inbound/methods/tasks.params';
import { brokenRules } from '../../../../src/inbound/methods/compiled-rules';
import { declaredMembers, type ParamsClass } from '../../../../src/inbound/methods/params-rules';

const CLASSES = [...Object.values(attachments), ...Object.values(tasks)].map((params): [string, ParamsClass] => [
  params.name,
  params,
]);
const value = fc.oneof(
  fc.constantFrom(undefined, null, '', 'k', 't-1', 'text', 'asc', 'pending', 'createdAt', 0, 1, 5, true, [], {}),
  fc.anything(),
);

describe('brokenRules', () => {
  it.each(CLASSES)('says of %s what class-validator says', (_, params) => {
    const names = [...declaredMembers(params).keys()];
    const given = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
    fc.assert(
      fc.property(given, (members) => {
        const object = Object.assign(new params(), members);
        // A class without members is none that class-validator knows.
        const expected = validateSync(object, { stopAtFirstError: true, forbidUnknownValues: false });
        expect(brokenRules(params, object)).toEqual(
          expected.map(({ property, constraints }) => ({ name: property, message: Object.values(constraints!)[0] })),
        );
      }),
    );
  });

  it('a rule that it does not know is refused, not passed over', () => {
    class Unknown {
      @ValidateNested()
      inner?: object;
    }
    expect(() => brokenRules(Unknown, new Unknown())).toThrow('inner: a rule of the type nestedValidation');
  });
});
