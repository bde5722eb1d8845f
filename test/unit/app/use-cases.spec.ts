import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { composeUseCases, USE_CASE_CLASSES, type UseCases } from '../../../src/app/use-cases';
import { Fixture } from '../../support/fixture';

const ROOM = join(__dirname, '../../../src/core/use-cases');
const files = readdirSync(ROOM, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const names = Object.keys(USE_CASE_CLASSES) as (keyof UseCases)[];

function classOf(file: string): unknown {
  const exported = jest.requireActual<Record<string, unknown>>(join(ROOM, file));
  const name = file.replace(/^.*\/|\.ts$/g, '').replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return exported[name];
}

describe('the composition of the use cases', () => {
  it('has every class in the folder of the use cases', () => {
    expect(new Set(Object.values(USE_CASE_CLASSES))).toEqual(new Set(files.map(classOf)));
    expect(files).toHaveLength(names.length);
  });

  it.each(names)('makes %s of the class that stands for it', (name) => {
    expect(composeUseCases(new Fixture().ports)[name]).toBeInstanceOf(USE_CASE_CLASSES[name]);
  });
});
