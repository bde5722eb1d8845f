import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const DEPLOY = join(__dirname, '../../deploy');

/** A question to Prometheus, and where it stands. */
export interface Query {
  readonly source: string;
  readonly expr: string;
}

interface Dashboard {
  readonly title: string;
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
}

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

export function dashboardQueries(): Query[] {
  const files = readdirSync(join(DEPLOY, 'grafana')).filter((file) => file.endsWith('.json'));
  const dashboards = files.map((file) => JSON.parse(readFileSync(join(DEPLOY, 'grafana', file), 'utf8')) as Dashboard);
  return dashboards.flatMap(({ title: dashboard, panels }) =>
    panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ source: `${dashboard}, ${title}`, expr: expr.replaceAll('$job', 'dossier') })),
    ),
  );
}

export function alertQueries(): Query[] {
  const rules = parse(readFileSync(join(DEPLOY, 'prometheus/alerts.yml'), 'utf8')) as Rules;
  return rules.groups.flatMap((group) => group.rules.map(({ alert, expr }) => ({ source: alert, expr })));
}

type Labels = Readonly<Record<string, string>>;

/** The series that replicas have shown, as Prometheus names them. */
export class ShownSeries {
  private readonly series = new Map<string, Map<string, Labels>>();

  /** What a replica shows at `/metrics`. */
  add(instance: string, text: string): void {
    const target = { job: 'dossier', instance };
    this.put('up', target);
    for (const line of text.split('\n')) {
      const [, name, labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
      if (name === undefined) continue;
      const own = Object.fromEntries(
        [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, value]) => [
          exported(label as string),
          value as string,
        ]),
      );
      this.put(name, { ...own, ...target });
    }
  }

  /** In what a query names metrics, labels or values of labels that no replica has shown; empty if it names none. */
  problemsOf({ expr }: Query): string[] {
    const selectors = [...expr.matchAll(/\b((?:dossier|nodejs|process)_\w+|up)\b(?:\{([^}]*)\})?/g)];
    if (selectors.length === 0) return ['it names no metric'];
    const labels = new Set<string>();
    const problems = selectors.flatMap(([selector, name, matchers = '']) => {
      const all = [...(this.series.get(name as string)?.values() ?? [])];
      all.flatMap(Object.keys).forEach((label) => labels.add(label));
      return all.some((one) => matches(one, matchers)) ? [] : [`no replica has shown ${selector}`];
    });
    const grouped = [...expr.matchAll(/\b(?:by|without)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
      list.split(/\s*,\s*/),
    );
    const unknown = grouped.filter((label) => !labels.has(label));
    return [...problems, ...unknown.map((label) => `no metric of it has the label ${label}`)];
  }

  private put(name: string, labels: Labels): void {
    const shown = this.series.get(name) ?? new Map<string, Labels>();
    shown.set(JSON.stringify(labels), labels);
    this.series.set(name, shown);
  }
}

/** Prometheus gives a label of a metric another name, if it is the name of a label of its own. */
function exported(label: string): string {
  return ['job', 'instance'].includes(label) ? `exported_${label}` : label;
}

function matches(labels: Labels, matchers: string): boolean {
  return [...matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].every(([, label = '', operator, value = '']) => {
    const own = labels[label] ?? '';
    const wanted = JSON.parse(`"${value}"`) as string;
    const isThat = operator?.endsWith('~') ? new RegExp(`^(?:${wanted})$`).test(own) : own === wanted;
    return operator?.startsWith('!') ? !isThat : isThat;
  });
}
