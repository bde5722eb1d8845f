import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const DEPLOY = join(__dirname, '../../deploy');
export const ALERT_RULES_FILE = join(DEPLOY, 'prometheus/alerts.yml');
/** The name of a metric of a replica, in an expression. */
export const METRIC_NAME = /\b(?:dossier|nodejs|process)_\w+/;

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: object;
  readonly annotations: { readonly playbook: string };
}

/** A question to Prometheus, and where it stands. */
export interface Query {
  readonly source: string;
  readonly expr: string;
}

interface Rules {
  readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
}

interface Dashboard {
  readonly title: string;
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
}

export function alertRules(): AlertRule[] {
  return (parse(readFileSync(ALERT_RULES_FILE, 'utf8')) as Rules).groups.flatMap(({ rules }) => rules);
}

export function alertQueries(): Query[] {
  return alertRules().map(({ alert, expr }) => ({ source: alert, expr }));
}

/** For the job `dossier`. The interval of rates is left open: `$__rate_interval`. */
export function dashboardQueries(): Query[] {
  const files = readdirSync(join(DEPLOY, 'grafana')).filter((file) => file.endsWith('.json'));
  const dashboards = files.map((file) => JSON.parse(readFileSync(join(DEPLOY, 'grafana', file), 'utf8')) as Dashboard);
  return dashboards.flatMap(({ title: dashboard, panels }) =>
    panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ source: `${dashboard}, ${title}`, expr: expr.replaceAll('$job', 'dossier') })),
    ),
  );
}
