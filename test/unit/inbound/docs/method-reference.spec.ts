import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { methodReference } from '../../../../src/inbound/docs/method-reference';

describe('docs/methods.md', () => {
  it('is what the description says now: npm run docs:api writes it', () => {
    expect(readFileSync(join(__dirname, '../../../../docs/methods.md'), 'utf8')).toBe(methodReference());
  });
});
