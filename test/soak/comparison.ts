import { violations } from '../faults/history-checker';
import { disagreements, evidenceOf, expectedEvents, falseAnswers, untilCaughtUp } from '../faults/outcome';
import { StoredTruth } from '../faults/stored-truth';
import { until } from '../support/poll';
import type { Surroundings } from './customer';
import type { Deployment } from './deployment';
import type { Follower } from './follower';
import type { Load } from './load';
import { untilWhole } from './phases';
import type { StoredEvents } from './stored-events';

/** Far longer than promised, for a busy machine. */
export const AGREED_AFTER_MS = 60_000;

/** Compares all that was acknowledged with what is stored, announced and answered, while nothing calls. */
export class Comparison {
  /** The tasks of the checked workload, by round. */
  private readonly rounds: (readonly string[])[] = [];
  /** How many calls of the checked workload were compared. */
  calls = 0;

  constructor(
    private readonly deployment: Deployment,
    private readonly around: Pick<Surroundings, 'credentials' | 'ledger'>,
    private readonly events: StoredEvents,
    /** Of the organisation of the checked workload. */
    private readonly follower: Follower,
  ) {}

  /** Of the checked workload. */
  get tasks(): number {
    return this.rounds.flat().length;
  }

  /** What is wrong after one round, whose customers have had the tasks of the ledger from the `firstTask` on. */
  async problemsOfRound(load: Load, firstTask: number): Promise<string[]> {
    await untilWhole(this.deployment);
    await untilCaughtUp(this.deployment, performance.now() + AGREED_AFTER_MS);
    const { taskIds } = load.workload;
    this.rounds.push(taskIds);
    const { attempts, reads, taskAttempts } = load.history;
    this.calls += attempts.length + reads.length + taskAttempts.length;
    return this.withTruth(async (truth) => {
      const differences = await disagreements(truth, taskIds, AGREED_AFTER_MS);
      const answers = await this.falseAnswers(truth, taskIds);
      const evidence = await evidenceOf(truth, taskIds, this.events);
      return [
        ...differences.map((one) => `the stores disagree: ${one}`),
        ...answers,
        ...violations(load.history, evidence),
        ...(await this.unfollowed(expectedEvents(evidence))),
        ...(await this.problemsOfCustomers(firstTask)),
        ...this.deployment.replicas.filter(({ hasCrashed }) => hasCrashed).map(({ name }) => `${name} has crashed`),
      ];
    });
  }

  /** All rounds once more: what was deleted in the first one is gone in the last one. */
  async problemsOfAll(): Promise<string[]> {
    const problems = await this.withTruth(async (truth) => {
      const found: string[] = [];
      for (const taskIds of this.rounds) found.push(...(await this.falseAnswers(truth, taskIds)));
      return found;
    });
    return [...problems, ...(await this.problemsOfCustomers(0))];
  }

  private async falseAnswers(truth: StoredTruth, taskIds: readonly string[]): Promise<string[]> {
    const headers = await this.around.credentials.tokenOf(undefined);
    const { replicas } = this.deployment;
    return (await Promise.all(replicas.map((replica) => falseAnswers(replica, truth, taskIds, headers)))).flat();
  }

  private async problemsOfCustomers(firstTask: number): Promise<string[]> {
    const { credentials, ledger } = this.around;
    const keyOf = (organization: string) => credentials.keyOf(organization, 'admin');
    const { replicas } = this.deployment;
    return (await Promise.all(replicas.map((replica) => ledger.problems(replica, keyOf, firstTask)))).flat();
  }

  /** What the follower of `GET /events` has not been told of. */
  private async unfollowed(ids: readonly string[]): Promise<string[]> {
    const isComplete = () => this.follower.missing(ids).length === 0;
    await until('the follower has all events', isComplete).catch(() => undefined);
    return this.follower.missing(ids).map((id) => `GET /events has not shown ${id}`);
  }

  private async withTruth<T>(work: (truth: StoredTruth) => Promise<T>): Promise<T> {
    const truth = await StoredTruth.open(this.deployment);
    return work(truth).finally(() => truth.close());
  }
}
