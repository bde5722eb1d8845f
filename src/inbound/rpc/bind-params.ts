import { validateSync } from 'class-validator';
import type { FieldError } from '../../core/domain/domain-error';
import { jsonElements, jsonMembers, JsonText } from '../../core/domain/json-text';
import type { CoreSettings } from '../../core/settings';
import { declaredMembers, isObject, type CrossChecked, type MemberKind, type ParamsClass } from './params-rules';
import { RawParams } from './raw-params';

interface Bound {
  /** To be used only if there are no problems. */
  readonly params: object;
  readonly problems: FieldError[];
}

type Members = Record<string, unknown>;

/**
 * The params of a call as an instance of the class that declares them, and everything that is wrong with them. Values
 * are assigned, never walked, so their depth does not matter; only declared names are assigned, so that none can reach
 * a prototype.
 */
export function bindParams(declared: ParamsClass, given: RawParams, settings: CoreSettings, path = ''): Bound {
  if (Array.isArray(given.values)) {
    return { params: {}, problems: [{ field: 'params', message: 'must be an object: parameters are passed by name' }] };
  }
  const params = new declared() as Members;
  const problems: FieldError[] = [];
  const kinds = declaredMembers(declared);
  let texts: Map<string, string> | undefined;
  for (const [name, value] of Object.entries(given.values)) {
    const field = path + name;
    const kind = kinds.get(name);
    if (kind === undefined) {
      problems.push({ field, message: 'is not a parameter of this method' });
      continue;
    }
    const readText = () => (texts ??= jsonMembers(given.text)).get(name) as string;
    params[name] = kind === 'plain' ? value : bindMember(kind, { value, readText, field, settings, problems });
  }
  problems.push(...ruleProblems(params, path));
  problems.push(...crossProblems(params, settings, path).filter(({ field }) => !isReported(field, problems)));
  return { params, problems };
}

interface MemberBinding {
  readonly value: unknown;
  readonly readText: () => string;
  readonly field: string;
  readonly settings: CoreSettings;
  /** Grows by what is wrong inside the member. */
  readonly problems: FieldError[];
}

function bindMember(kind: Exclude<MemberKind, 'plain'>, member: MemberBinding): unknown {
  if (kind === 'json') return JsonText.fromValid(member.readText());
  if (Array.isArray(member.value)) return bindElements(kind, member.value, member);
  return isObject(member.value) ? member.value : bindObject(kind, member);
}

function bindElements(declared: ParamsClass, elements: readonly unknown[], member: MemberBinding): unknown[] {
  let texts: string[] | undefined;
  return elements.map((value, i) => {
    const field = `${member.field}[${i}]`;
    const problem = isObject(value);
    if (problem) {
      member.problems.push({ field, message: problem });
      return value;
    }
    const readText = () => (texts ??= jsonElements(member.readText()))[i] as string;
    return bindObject(declared, { ...member, value, readText, field });
  });
}

function bindObject(declared: ParamsClass, { value, readText, field, settings, problems }: MemberBinding): object {
  const bound = bindParams(declared, new RawParams(value as Members, readText), settings, `${field}.`);
  problems.push(...bound.problems);
  return bound.params;
}

/** What class-validator says of each member; a member that is wrong is emptied, so that no further rule meets it. */
function ruleProblems(params: Members, path: string): FieldError[] {
  return validateSync(params, { stopAtFirstError: true }).map(({ property, constraints }) => {
    params[property] = undefined;
    return { field: path + property, message: Object.values(constraints ?? {})[0] as string };
  });
}

function crossProblems(params: object, settings: CoreSettings, path: string): FieldError[] {
  if (!('problems' in params)) return [];
  const problems = (params as CrossChecked).problems(settings);
  return problems.map(({ field, message }) => ({ field: path + field, message }));
}

/** Of a member, or of anything in it. */
function isReported(field: string, problems: readonly FieldError[]): boolean {
  return problems.some((problem) => problem.field === field || problem.field.startsWith(`${field}.`));
}
