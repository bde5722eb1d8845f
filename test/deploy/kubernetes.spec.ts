import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createProgram,
  flattenDiagnosticMessageText,
  getPreEmitDiagnostics,
  ModuleKind,
  ModuleResolutionKind,
} from 'typescript';
import { parseAllDocuments } from 'yaml';
import { findOrFetch } from '../support/kubernetes-tools';

const ROOT = join(__dirname, '../..');
const MEBIBYTE = 2 ** 20;

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
  readonly spec: unknown;
}

interface PodSpec {
  readonly terminationGracePeriodSeconds?: number;
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Record<string, unknown>;
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly secret: { readonly secretName: string } }[];
}

interface Container {
  readonly args?: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly resources: { readonly requests: Record<string, string>; readonly limits: Record<string, string> };
  readonly securityContext: Record<string, unknown>;
  readonly [probe: string]: unknown;
}

const kustomize = (folder: string) => parse(run('kubectl', ['kustomize', join('deploy/kubernetes', folder)]));
const helm = (...args: string[]) => parse(run('helm', ['template', 'dossier', 'deploy/helm/dossier', ...args]));

function run(tool: 'kubectl' | 'helm', args: readonly string[]): string {
  return execFileSync(findOrFetch(tool), args, { cwd: ROOT, encoding: 'utf8' });
}

/** As Kubernetes reads it: YAML 1.1, in which 0440 is octal. */
function parse(yaml: string): readonly KubernetesObject[] {
  const documents = parseAllDocuments(yaml, { version: '1.1' });
  return documents.map((document) => {
    if (document.errors.length > 0) throw document.errors[0] as Error;
    return document.toJS() as KubernetesObject;
  });
}

/** In one order, and without what only tells Helm when to apply an object. */
function comparable(objects: readonly KubernetesObject[]): readonly KubernetesObject[] {
  const plain = objects.map(({ metadata: { annotations = {}, ...metadata }, ...object }) => {
    const others = Object.entries(annotations).filter(([name]) => !name.startsWith('helm.sh/'));
    return {
      ...object,
      metadata: others.length > 0 ? { ...metadata, annotations: Object.fromEntries(others) } : metadata,
    };
  });
  return plain.sort((a, b) => a.kind.localeCompare(b.kind));
}

const RENDERED = { 'kustomize base': kustomize('base'), overlay: kustomize('overlays/production'), helm: helm() };

describe.each(Object.entries(RENDERED))('the Kubernetes objects of %s', (_, objects) => {
  it('are all there', () => {
    const kinds = objects.map(({ kind }) => kind).filter((kind) => kind !== 'Namespace');
    expect(kinds.sort()).toEqual([
      'Deployment',
      'HorizontalPodAutoscaler',
      'Job',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
      'ServiceMonitor',
    ]);
  });

  it.each(objects.map((object) => [object.kind, object]))('%s has the form of its schema', (_kind, object) => {
    expect(schemaErrors(object)).toEqual([]);
  });

  it('have no member that Kubernetes does not know', () => {
    expect(unknownMembers(objects)).toEqual([]);
  });
});

describe('the schemas that the objects are held against', () => {
  const [object] = kustomize('base').filter(({ kind }) => kind === 'Deployment') as [KubernetesObject];

  it('refuse a value of a wrong type, and a member that is missing or unknown', () => {
    const spec = object.spec as Record<string, unknown>;
    expect(schemaErrors({ ...object, spec: { ...spec, minReadySeconds: 'five' } })).toHaveLength(1);
    expect(schemaErrors({ ...object, spec: { ...spec, selector: undefined } })).toHaveLength(1);
    expect(unknownMembers([{ ...object, spec: { ...spec, minReadySecond: 5 } }])).toEqual([
      expect.stringContaining('minReadySecond'),
    ]);
  });
});

describe('the chart', () => {
  it('renders the same objects as the base of kustomize', () => {
    expect(comparable(helm())).toEqual(comparable(kustomize('base')));
  });

  it('passes the linter of helm', () => {
    expect(run('helm', ['lint', 'deploy/helm/dossier', '--strict', '--quiet'])).not.toMatch(/WARNING|ERROR/);
  });

  it('takes the values that it offers', () => {
    const values = [
      'image.tag=9',
      'replicas.min=4',
      'env.LOG_LEVEL=debug',
      'serviceMonitor=false',
      'secrets.server=other',
    ];
    const objects = helm(
      ...values.flatMap((value) => ['--set-string', value.replace('serviceMonitor=false', 'x=y')]),
      '--set',
      'serviceMonitor=false',
    );
    expect(objects.map(({ kind }) => kind)).not.toContain('ServiceMonitor');
    expect(JSON.stringify(objects)).toContain('"image":"dossier:9"');
    const { containers, volumes } = podOf('Deployment', objects);
    expect(containers[0]?.env).toContainEqual({ name: 'LOG_LEVEL', value: 'debug' });
    expect(volumes[0]?.secret.secretName).toBe('other');
  });
});

describe('the pods', () => {
  const objects = kustomize('base');
  const deployment = objects.find(({ kind }) => kind === 'Deployment')?.spec as Record<string, unknown>;
  const [server, job] = [podOf('Deployment', objects), podOf('Job', objects)];
  const environment = ({ containers }: PodSpec) =>
    Object.fromEntries((containers[0] as Container).env.map(({ name, value }) => [name, value]));

  it.each([
    ['the server', server],
    ['the migration', job],
  ])('%s has no rights that it does not need', (_, pod) => {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const { securityContext, resources } of pod.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(resources.requests['memory']).toBe(resources.limits['memory']);
    }
  });

  it('the user is that of the image', () => {
    const dockerfile = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8');
    expect(dockerfile).toContain('\nUSER 1000:1000\n');
  });

  it('a rolling update removes a replica only after its successor is ready, and gives it time to leave', () => {
    expect(deployment['strategy']).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
    expect(environment(server)['SHUTDOWN_DELAY_MS']).toBe('5000');
    expect(server.terminationGracePeriodSeconds).toBe(30);
    expect(server.containers[0]).toMatchObject({
      startupProbe: { httpGet: { path: '/startupz' } },
      readinessProbe: { httpGet: { path: '/readyz' } },
      livenessProbe: { httpGet: { path: '/livez' } },
    });
  });

  it('the heap fits into the memory of the container', () => {
    const [, gibibytes] = /^(\d+)Gi$/.exec(server.containers[0]?.resources.limits['memory'] ?? '') ?? [];
    const heapPercent = Number(environment(server)['HEAP_PERCENT']);
    expect(Number(gibibytes) * 1024 * MEBIBYTE * (1 - heapPercent / 100)).toBeGreaterThan(256 * MEBIBYTE);
    expect(heapPercent).toBeGreaterThanOrEqual(50);
  });

  it('the migration has the role of the owner, and only the migration', () => {
    expect(job.containers[0]?.args).toEqual(['dist/commands/dossier.js', 'migrate', 'up']);
    expect(job.volumes.map(({ secret }) => secret.secretName)).toEqual(['dossier-owner']);
    expect(server.volumes.map(({ secret }) => secret.secretName)).toEqual(['dossier']);
    expect(environment(server)['MIGRATE']).toBe('off');
  });

  it('secrets are in files, and no variable holds one', () => {
    for (const pod of [server, job]) {
      for (const [name, value] of Object.entries(environment(pod))) {
        if (/URL|KEY|PASSWORD|TOKEN/.test(name))
          expect([name, value]).toEqual([expect.stringMatching(/_FILE$/), expect.stringMatching(/^\/run\/secrets\//)]);
      }
    }
    expect(JSON.stringify(objects)).not.toContain('"kind":"Secret"');
  });
});

function podOf(kind: string, objects: readonly KubernetesObject[]): PodSpec {
  const spec = objects.find((object) => object.kind === kind)?.spec as { template: { spec: PodSpec } };
  return spec.template.spec;
}

type Model = new (object: object) => { validate(): void };

/** By the schemas of Kubernetes' own OpenAPI document, and of the Prometheus operator. */
function schemaErrors(object: KubernetesObject): readonly string[] {
  const models = jest.requireActual<Record<string, Model>>(packageOf(object));
  const model = new (models[object.kind] as Model)(object);
  try {
    model.validate();
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

function packageOf({ apiVersion }: KubernetesObject): string {
  const isOfOperator = apiVersion.startsWith('monitoring.coreos.com');
  return `${isOfOperator ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models'}/${apiVersion}`;
}

/** The schemas let members pass that they do not name; the types of the same packages, given a literal, do not. */
function unknownMembers(objects: readonly KubernetesObject[]): readonly string[] {
  const folder = mkdtempSync(join(ROOT, 'node_modules/.cache-types-'));
  try {
    const lines = objects.map((object, i) => {
      const type = `import type { I${object.kind} as T${i} } from '${packageOf(object)}';`;
      return `${type}\nexport const object${i}: T${i} = ${JSON.stringify(object)};\n`;
    });
    const file = join(folder, 'objects.ts');
    writeFileSync(file, lines.join(''));
    const program = createProgram([file], {
      noEmit: true,
      skipLibCheck: true,
      strict: true,
      types: [],
      module: ModuleKind.NodeNext,
      moduleResolution: ModuleResolutionKind.NodeNext,
    });
    return getPreEmitDiagnostics(program).map(({ messageText }) => flattenDiagnosticMessageText(messageText, '\n'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
