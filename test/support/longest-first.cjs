const { default: Sequencer } = require('@jest/test-sequencer');

/** Minutes each, though their files are short, by which Jest would put them last: then one worker would go on alone. */
const LONGEST = /test\/(faults|simulation)\//;

/** The tests that take longest begin first; the others as Jest would begin them. */
module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const isLong = ({ path }) => LONGEST.test(path);
    const sorted = super.sort(tests);
    return [...sorted.filter(isLong), ...sorted.filter((test) => !isLong(test))];
  }
};
