import { ticksOf } from '../../../bench/servers/cpu-time';

describe('the CPU time of a process', () => {
  it('is that of the process and of its children that have ended, whatever its name is', () => {
    const rest = 'S 1 7 7 0 -1 4194560 6877 117313 0 64 20 3 400 5000 20 0 1 0 5272496';
    expect(ticksOf(`42 (node) ${rest}`)).toBe(5423);
    expect(ticksOf(`42 (a) S (b 1) ${rest}`)).toBe(5423);
  });
});
