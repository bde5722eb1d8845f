import type { FieldError } from '../../core/domain/domain-error';
import { jsonElements, JsonText } from '../../core/domain/json-text';
import type { CoreSettings } from '../../core/ports/core-settings';
import { brokenRules } from './compiled-rules';
import { isObject } from './member-rules';
import { nearName } from './near-name';
import { declaredMembers, type CrossChecked, type Member, type ParamsClass } from './params-rules';
import { RawParams } from '../json-rpc/raw-params';

interface Bound {
  /** To be used only if there are no problems. */
  readonly params: object;
  readonly problems: FieldError[];
}

/** A request may have any number of unknown names, and comparing names takes time. */
const MAX_SUGGESTIONS = 20;

type Members = Record<string, unknown>;

/**
 * The params of a call as an instance of the class that declares them, and everything that is wrong with them. Values
 * are assigned without a look into them, so their depth does not matter. Only declared names are assigned, so that a
 * name cannot reach a prototype.
 */
export function bindParams(declared: ParamsClass, given: RawParams, settings: CoreSettings): Bound {
  if (Array.isArray(given.values)) {
    return { params: {}, problems: [{ field: 'params', message: 'must be an object: parameters are passed by name' }] };
  }
  const binding: Binding = { settings, problems: [] };
  return { params: bindObject(declared, given, '', binding), problems: binding.problems };
}

interface Binding {
  readonly settings: CoreSettings;
  /** Collects what is wrong, at any level. */
  readonly problems: FieldError[];
}

function bindObject(declared: ParamsClass, given: RawParams, path: string, binding: Binding): object {
  const params = new declared() as Members;
  const members = declaredMembers(declared);
  for (const name of Object.keys(given.values)) {
    const member = members.get(name);
    if (!member) {
      binding.problems.push({ field: path + name, message: unknownName(name, members, binding) });
      continue;
    }
    const value = givenValue(name, member, given);
    if (value !== undefined) params[name] = value;
  }
  checkRules(declared, params, path, binding);
  for (const [name, { kind }] of members) {
    if (typeof kind === 'string' || params[name] === undefined) continue;
    params[name] = bindNested(kind, params[name], () => given.textOf(name), path + name, binding);
  }
  const isNews = ({ field }: FieldError) => !isReported(field, binding.problems);
  binding.problems.push(...crossProblems(params, binding.settings, path).filter(isNews));
  return params;
}

function unknownName(name: string, members: ReadonlyMap<string, unknown>, { problems }: Binding): string {
  const message = 'is not a parameter of this method';
  const near = problems.length < MAX_SUGGESTIONS ? nearName(name, members.keys()) : undefined;
  return near === undefined ? message : `${message}, did you mean ${near}?`;
}

/** Undefined if the member counts as left out. */
function givenValue(name: string, { kind, takesNull }: Member, given: RawParams): unknown {
  if (kind === 'json') {
    const text = given.textOf(name);
    return text === 'null' && !takesNull ? undefined : JsonText.fromValid(text);
  }
  const value = given.byName(name);
  return value === null && !takesNull ? undefined : value;
}

/** Reads a member that its own rule has found valid. */
function bindNested(
  kind: ParamsClass,
  value: unknown,
  readText: () => string,
  field: string,
  binding: Binding,
): unknown {
  if (!Array.isArray(value)) return bindObject(kind, new RawParams(value as Members, readText), `${field}.`, binding);
  let texts: string[] | undefined;
  return value.map((element: unknown, i) => {
    const problem = isObject.problemOf(element);
    if (problem) {
      binding.problems.push({ field: `${field}[${i}]`, message: problem });
      return element;
    }
    const elementText = () => (texts ??= jsonElements(readText()))[i] as string;
    return bindObject(kind, new RawParams(element as Members, elementText), `${field}[${i}].`, binding);
  });
}

/** A member that breaks a rule becomes undefined, so that no further rule sees it. */
function checkRules(declared: ParamsClass, params: Members, path: string, { problems }: Binding): void {
  for (const { name, message } of brokenRules(declared, params)) {
    params[name] = undefined;
    problems.push({ field: path + name, message });
  }
}

function crossProblems(params: object, settings: CoreSettings, path: string): FieldError[] {
  if (!('problems' in params)) return [];
  const problems = (params as CrossChecked).problems(settings);
  return problems.map(({ field, message }) => ({ field: path + field, message }));
}

/** Whether a problem of the member, or of anything in it, is known already. */
function isReported(field: string, problems: readonly FieldError[]): boolean {
  return problems.some((problem) => problem.field === field || problem.field.startsWith(`${field}.`));
}
