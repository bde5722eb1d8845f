import { findBinary } from '../support/installed-binary';
import { ALERT_RULES_FILE, alertQueries, dashboardQueries } from '../support/prometheus-queries';
import { startPrometheus, type PrometheusServer } from '../support/prometheus-server';
import type { Deployment } from './deployment';
import { ShownSeries } from './shown-series';

const INTERVAL_SECONDS = 5;
/** As Grafana takes it: four intervals. */
const RATE_INTERVAL = `${4 * INTERVAL_SECONDS}s`;

interface Series {
  readonly metric: Readonly<Record<string, string>>;
}
interface RuleGroups {
  readonly groups: readonly { readonly rules: readonly { name: string; health: string; lastError?: string }[] }[];
}

/** What replicas show of themselves, and a Prometheus that asks them, if this machine has one. */
export class Observation {
  private readonly shown = new ShownSeries();
  private readonly beganAtSeconds = Date.now() / 1000;

  private constructor(
    private readonly deployment: Deployment,
    private readonly prometheus: PrometheusServer | undefined,
  ) {}

  static async start(deployment: Deployment): Promise<Observation> {
    const program = findBinary('prometheus');
    const targets = deployment.replicas.map(({ service }) => new URL(service.url).host);
    const interval = `${INTERVAL_SECONDS}s`;
    const configuration = {
      global: { scrape_interval: interval, evaluation_interval: interval },
      rule_files: [ALERT_RULES_FILE],
      scrape_configs: [{ job_name: 'dossier', static_configs: [{ targets }] }],
    };
    return new Observation(
      deployment,
      program === undefined ? undefined : await startPrometheus(program, configuration),
    );
  }

  get hasPrometheus(): boolean {
    return this.prometheus !== undefined;
  }

  /** To be called in every phase: some series are shown only after something has happened. */
  async look(): Promise<void> {
    for (const { name, service, takesCalls } of this.deployment.replicas) {
      if (takesCalls) this.shown.add(name, (await service.fetch('/metrics')).text);
    }
  }

  /** Which alerts were pending, and which have fired. */
  async alerts(): Promise<Readonly<Record<string, readonly string[]>>> {
    if (!this.prometheus) return {};
    const series = await this.over('ALERTS');
    const in_ = (state: string) => [
      ...new Set(
        series.flatMap(({ metric }) => (metric['alertstate'] === state ? [metric['alertname'] as string] : [])),
      ),
    ];
    return { pending: in_('pending'), firing: in_('firing') };
  }

  /** In what the queries of dashboards and alerts get no answer; empty if all do. */
  async problems(): Promise<string[]> {
    const named = [...dashboardQueries(), ...alertQueries()].flatMap((query) =>
      this.shown.problemsOf(query).map((problem) => `${query.source}: ${problem}`),
    );
    return [...named, ...(await this.unanswered()), ...(await this.brokenRules())];
  }

  async stop(): Promise<void> {
    await this.prometheus?.stop();
  }

  private async unanswered(): Promise<string[]> {
    const problems: string[] = [];
    if (!this.prometheus) return problems;
    for (const { source, expr } of dashboardQueries()) {
      const query = expr.replaceAll('$__rate_interval', RATE_INTERVAL);
      try {
        // A comparison holds or not: that it never held is an answer.
        if ((await this.over(query)).length === 0 && !/[<>]/.test(query))
          problems.push(`${source}: no data for ${query}`);
      } catch (error) {
        problems.push(`${source}: ${(error as Error).message}`);
      }
    }
    return problems;
  }

  private async brokenRules(): Promise<string[]> {
    const { groups } = (await this.prometheus?.ask<RuleGroups>('rules')) ?? { groups: [] };
    const rules = groups.flatMap((group) => group.rules);
    return rules.flatMap(({ name, health, lastError }) =>
      health === 'ok' ? [] : [`alert ${name}: ${health} ${lastError ?? ''}`],
    );
  }

  /** From the beginning up to now, as a panel shows it. */
  private async over(query: string): Promise<readonly Series[]> {
    const range = {
      start: String(this.beganAtSeconds),
      end: String(Date.now() / 1000),
      step: String(INTERVAL_SECONDS),
    };
    const answer = await this.prometheus?.ask<{ result: readonly Series[] }>('query_range', { query, ...range });
    return answer?.result ?? [];
  }
}
