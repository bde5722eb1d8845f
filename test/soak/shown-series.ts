import { METRIC_NAME, type Query } from '../support/prometheus-queries';

const SELECTOR = new RegExp(`(${METRIC_NAME.source}|\\bup)\\b(?:\\{([^}]*)\\})?`, 'g');

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
    const selectors = [...expr.matchAll(SELECTOR)];
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
