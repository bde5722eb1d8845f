import { MUTANTS } from './mutants';
import { SCENARIOS } from './scenarios';
import { staleMutants } from './stale-mutants';

/** Whether each is caught takes long: npm run simulate -- --mutants */
describe('the mutants', () => {
  it('can all be made of the present code', () => {
    expect(staleMutants()).toEqual([]);
  });

  it('differ from the present code', () => {
    expect(MUTANTS.filter(({ find, replace }) => find === replace).map(({ name }) => name)).toEqual([]);
  });

  it('have names of their own, by which one can be asked for', () => {
    const names = MUTANTS.map(({ name }) => name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it('name scenarios that exist', () => {
    const known = new Set(SCENARIOS.map(({ name }) => name));
    const unknown = MUTANTS.filter(({ scenario }) => scenario !== undefined && !known.has(scenario));
    expect(unknown.map(({ name }) => name)).toEqual([]);
  });
});
