import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOrInstall } from '../support/installed-binary';
import { ALERT_RULES_FILE, alertRules } from '../support/prometheus-queries';
import { ALERT_CASES, type AlertCase } from './alert-cases';

const FOLDER = join(__dirname, '../../deploy/prometheus');
const alerts = alertRules();

describe('the alerts', () => {
  const promtool = findOrInstall('promtool');
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dossier-alerts-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Whether the alert fires then; with the report of promtool if the answer is not the expected one. */
  const report = (
    alert: string,
    { afterMinutes }: AlertCase,
    series: Readonly<Record<string, string>>,
    fires: boolean,
  ) => {
    const expression = {
      expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
      eval_time: `${afterMinutes}m`,
      exp_samples: fires ? [{ labels: '{}', value: 1 }] : [],
    };
    const test = {
      rule_files: [ALERT_RULES_FILE],
      evaluation_interval: '15s',
      tests: [
        {
          interval: '15s',
          input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
          promql_expr_test: [expression],
        },
      ],
    };
    const file = join(folder, `${alert}-${fires}.yml`);
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(test));
    const { status, stdout, stderr } = spawnSync(promtool, ['test', 'rules', file], { encoding: 'utf8' });
    return status === 0 ? 'as expected' : `${stdout}${stderr}`;
  };

  it('are rules that Prometheus takes, without a remark of its linter', () => {
    execFileSync(promtool, ['check', 'rules', '--lint=all', '--lint-fatal', ALERT_RULES_FILE]);
    execFileSync(promtool, ['check', 'config', join(FOLDER, 'prometheus.yml')]);
  });

  it('have a case each, and a severity', () => {
    expect(Object.keys(ALERT_CASES).sort()).toEqual(alerts.map(({ alert }) => alert).sort());
    for (const { labels } of alerts) expect([{ severity: 'critical' }, { severity: 'warning' }]).toContainEqual(labels);
  });

  it.each(Object.entries(ALERT_CASES))(
    '%s fires when it should, and not when something similar happens',
    (alert, one) => {
      expect(report(alert, one, one.firing, true)).toBe('as expected');
      for (const quiet of [one.quiet, ...(one.quietToo ? [one.quietToo] : [])])
        expect(report(alert, one, quiet, false)).toBe('as expected');
    },
  );
});
