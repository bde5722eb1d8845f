import { getMetadataStorage, type ValidationArguments, type ValidatorConstraintInterface } from 'class-validator';
import type { ParamsClass } from './params-rules';

type Condition = (object: object, value: unknown) => boolean;
type Metadata = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];

interface RulesOfMember {
  readonly name: string;
  /** All of them must hold for a rule to be asked. */
  readonly conditions: readonly Condition[];
  readonly rules: readonly Rule[];
}

interface Rule {
  readonly constraint: ValidatorConstraintInterface;
  readonly constraints: unknown[];
}

export interface MemberProblem {
  readonly name: string;
  readonly message: string;
}

const rulesByClass = new Map<ParamsClass, readonly RulesOfMember[]>();

/**
 * What the decorators of class-validator say of each member: the first rule that it breaks, as `validateSync` with
 * `stopAtFirstError`. The decorators are read once: the library would group them anew for every object.
 */
export function brokenRules(declared: ParamsClass, params: object): MemberProblem[] {
  const problems: MemberProblem[] = [];
  for (const { name, conditions, rules } of rulesOf(declared)) {
    const value = (params as Record<string, unknown>)[name];
    if (!conditions.every((holds) => holds(params, value))) continue;
    for (const { constraint, constraints } of rules) {
      const about = { targetName: declared.name, property: name, object: params, value, constraints };
      if (constraint.validate(value, about) === true) continue;
      problems.push({ name, message: messageOf(constraint, about) });
      break;
    }
  }
  return problems;
}

function messageOf(constraint: ValidatorConstraintInterface, about: ValidationArguments): string {
  return constraint.defaultMessage?.(about) ?? '';
}

function rulesOf(declared: ParamsClass): readonly RulesOfMember[] {
  let rules = rulesByClass.get(declared);
  if (!rules) {
    const storage = getMetadataStorage();
    const byMember = storage.groupByPropertyName(storage.getTargetValidationMetadatas(declared, '', false, false));
    rules = Object.entries(byMember).map(([name, metadata]) => compile(name, metadata));
    rulesByClass.set(declared, rules);
  }
  return rules;
}

function compile(name: string, metadata: readonly Metadata[]): RulesOfMember {
  const conditions: Condition[] = [];
  const rules: Rule[] = [];
  for (const { type, constraints, constraintCls, each, groups } of metadata) {
    if (type === 'conditionalValidation') conditions.push(constraints[0] as Condition);
    else if (type === 'customValidation' && !each && groups.length === 0) {
      for (const { instance } of getMetadataStorage().getTargetValidatorConstraints(constraintCls)) {
        rules.push({ constraint: instance, constraints: constraints as unknown[] });
      }
    } else if (type !== 'whitelistValidation') throw new Error(`${name}: a rule of the type ${type} is not supported`);
  }
  return { name, conditions, rules };
}
