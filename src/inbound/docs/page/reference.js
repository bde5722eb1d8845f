import { jsonBlock } from './code-block.js';
import { isNeeded } from './description.js';
import { badge, breakable, disclosure, element, richText } from './elements.js';
import { limitsText, typeText, wordsOf } from './schema-text.js';

/** @import { Description, ErrorFacts, Method, Schema } from './description.js' */

/**
 * What a method is for.
 *
 * @param {Method} method
 */
export function methodHead(method) {
  const limit = method['x-callsPerMinute'];
  return element(
    'header',
    { class: 'head' },
    element('h1', { tabindex: '-1' }, breakable(method.name)),
    element('p', { class: 'lead' }, richText(method.summary)),
    element('p', {}, richText(method.description)),
    element(
      'p',
      { class: 'badges' },
      badge(`role: ${method['x-role']}`),
      badge(method['x-readOnly'] ? 'changes nothing' : 'changes data'),
      method['x-idempotent'] && badge('safe to repeat'),
      limit !== undefined && badge(`${limit} calls a minute`),
    ),
  );
}

/**
 * Parameters, result, errors and examples.
 *
 * @param {Method} method
 * @param {Description} description
 * @param {(params: Readonly<Record<string, unknown>>) => void} onExample takes the params of an example
 */
export function methodReference(method, description, onExample) {
  const params = description.paramsOf(method);
  const result = description.resolve(method.result.schema);
  const own = description.ownErrorsOf(method);
  const common = description.commonErrorsOf(method);
  return element(
    'div',
    { class: 'reference' },
    section('Parameters', members(params, { anchor: `${method.name}:` }, description), alternatives(params)),
    section('Result', members(result, { anchor: `${method.name}:result.`, isResult: true }, description)),
    section(
      'Errors',
      own.length > 0 && errorList(own, `${method.name}:error.`),
      disclosure(`Errors of every method (${common.length})`, () => errorList(common, `${method.name}:error.`)),
    ),
    section(
      'Examples',
      method.examples.map((example) => exampleOf(example, onExample)),
    ),
  );
}

/**
 * @param {string} title
 * @param {...(Node | false | readonly Node[])} content
 */
function section(title, ...content) {
  return element('section', {}, element('h2', {}, title), content.flat());
}

/**
 * @typedef {object} Place where members are described
 * @property {string} [anchor] what the anchor of a member begins with
 * @property {boolean} [isResult] whether the service gives them, and not the caller
 */

/**
 * @param {Schema} schema resolved
 * @param {Place} place
 * @param {Description} description
 * @returns {HTMLElement}
 */
function members(schema, place, description) {
  const given = Object.entries(schema.properties ?? {});
  const described = given.map(([name, member]) => memberOf(name, member, isNeeded(schema, name), place, description));
  return element('dl', { class: 'members' }, described);
}

/**
 * @param {string} name
 * @param {Schema} member
 * @param {boolean} isNeeded
 * @param {Place} place
 * @param {Description} description
 */
function memberOf(name, member, isNeeded, { anchor, isResult }, description) {
  const resolved = description.resolve(member);
  const inner = innerOf(resolved, description);
  const words = wordsOf(member, description);
  const about = member.description ?? resolved.description;
  // They tell a caller what to give, not what to expect.
  const limits = isResult ? [] : limitsText(member, description);
  const fallback = resolved.default;
  const kind = (/** @type {(string | Node)[]} */ ...text) => element('span', { class: 'kind' }, text);
  return element(
    'div',
    { class: 'member', id: anchor && `${anchor}${name}` },
    element(
      'dt',
      {},
      element('code', { class: 'name' }, name),
      kind(typeText(member, description)),
      isNeeded && !isResult && badge('required', 'required'),
      !isNeeded && isResult && kind('if it applies'),
      fallback !== undefined && kind('default ', element('code', {}, JSON.stringify(fallback))),
    ),
    words.length > 0 &&
      element(
        'dd',
        { class: 'words' },
        words.map((word) => element('code', {}, word)),
      ),
    about !== undefined && element('dd', {}, richText(about)),
    limits.length > 0 && element('dd', { class: 'limits' }, richText(limits.join(' · '))),
    inner &&
      element(
        'dd',
        {},
        disclosure(`Members of ${inner.title ?? name}`, () => members(inner, { isResult }, description)),
      ),
  );
}

/**
 * The object of which it consists, if it has parts.
 *
 * @param {Schema} schema resolved
 * @param {Description} description
 * @returns {Schema | undefined}
 */
function innerOf(schema, description) {
  if (schema.properties) return schema;
  const { items, anyOf = [] } = schema;
  const alternatives = [...(items ? [items] : []), ...anyOf].map((one) => description.resolve(one));
  return alternatives.map((one) => innerOf(one, description)).find((inner) => inner !== undefined);
}

/**
 * What each value of a parameter needs, if others depend on it.
 *
 * @param {Schema} schema
 */
function alternatives({ oneOf = [] }) {
  const rows = oneOf.map(({ properties = {}, required = [] }) => {
    const [by, chosen] = Object.entries(properties).find(([, one]) => one.const !== undefined) ?? ['', undefined];
    const needed = required.filter((name) => name !== by).map((name) => `\`${name}\``);
    const refused = Object.entries(properties).filter(([, { type, not }]) => type === 'null' || not !== undefined);
    const text = `\`${by}: ${JSON.stringify(chosen?.const)}\` needs ${needed.join(', ')}, and takes no ${refused
      .map(([name]) => `\`${name}\``)
      .join(' or ')}.`;
    return element('li', {}, richText(text));
  });
  return rows.length > 0 && element('ul', { class: 'alternatives' }, rows);
}

/**
 * @param {readonly ErrorFacts[]} errors
 * @param {string} [anchor] what the anchor of an error begins with
 */
export function errorList(errors, anchor) {
  return element(
    'dl',
    { class: 'members' },
    errors.map(({ word, code, message, when, retryable }) =>
      element(
        'div',
        { class: 'member', id: anchor && `${anchor}${word}` },
        element(
          'dt',
          {},
          element('code', { class: 'name' }, word),
          element('span', { class: 'kind' }, String(code)),
          element('span', { class: 'kind' }, message),
          retryable && badge('may succeed later'),
        ),
        element('dd', {}, richText(when)),
      ),
    ),
  );
}

/**
 * @param {Method['examples'][number]} example
 * @param {(params: Readonly<Record<string, unknown>>) => void} onExample
 */
function exampleOf({ name, params, result }, onExample) {
  const given = Object.fromEntries(params.map((param) => [param.name, param.value]));
  const use = element('button', { type: 'button', click: () => onExample(given) }, 'Use in the form');
  return element(
    'div',
    { class: 'example' },
    element('h3', {}, `${name.charAt(0).toUpperCase()}${name.slice(1)}`, use),
    element('p', { class: 'hint' }, 'Parameters'),
    jsonBlock(`Parameters of the example ${name}`, given),
    element('p', { class: 'hint' }, 'Result'),
    jsonBlock(`Result of the example ${name}`, result.value),
  );
}
