import { Pace } from '../../../src/commands/archive/pace';
import { PatientService } from '../../../src/commands/archive/patient-service';
import { CommandError, EXIT } from '../../../src/commands/exit-code';
import { RemoteRefusal, type RemoteService } from '../../../src/commands/remote/remote-service';
import { Fixture } from '../../support/fixture';

const overloaded = (retryAfterMs: number) => new RemoteRefusal({ code: -32001, message: 'x' }, retryAfterMs);

/** When each call was made, in seconds, and what has come of them. */
async function callsOf(failures: readonly Error[]) {
  const { clock } = new Fixture();
  const startMs = clock.monotonicMs();
  const at: number[] = [];
  const call = () => {
    at.push(Math.round((clock.monotonicMs() - startMs) / 1000));
    const failure = failures[at.length - 1];
    return failure ? Promise.reject(failure) : Promise.resolve('{}');
  };
  const patient = new PatientService({ call } as unknown as RemoteService, new Pace(1000, clock), clock);
  return { at, outcome: await patient.call('task.get', {}).catch((error: unknown) => error) };
}

describe('a service that is read with patience', () => {
  it('is asked again if it is unavailable, and not before it wants to be', async () => {
    const nothingListens = new CommandError('x', EXIT.unavailable);
    const { at, outcome } = await callsOf([nothingListens, overloaded(30_000), overloaded(0)]);
    expect(at).toEqual([0, 1, 31, 34]);
    expect(outcome).toBe('{}');
  });

  it('is given up after a while', async () => {
    const { at, outcome } = await callsOf(Array.from({ length: 10 }, () => overloaded(0)));
    expect(at).toHaveLength(6);
    expect(outcome).toMatchObject({ exitCode: EXIT.unavailable });
  });

  it('is not asked again for what it has refused', async () => {
    const refusal = new RemoteRefusal({ code: -32602, message: 'x' }, 0);
    expect(await callsOf([refusal])).toEqual({ at: [0], outcome: refusal });
  });
});

describe('a pace', () => {
  it('spreads turns evenly, and makes up for nothing after a pause', async () => {
    const { clock } = new Fixture();
    const startMs = clock.monotonicMs();
    const pace = new Pace(10, clock);
    const at: number[] = [];
    for (const pauseMs of [0, 0, 0, 4800, 0]) {
      clock.advance(pauseMs);
      await pace.turn();
      at.push(clock.monotonicMs() - startMs);
    }
    expect(at).toEqual([0, 100, 200, 5000, 5100]);
  });
});
