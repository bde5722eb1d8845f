import { simpleControl } from './controls.js';
import { isNeeded } from './description.js';
import { element } from './elements.js';
import { Field } from './field.js';
import { minified, partsOf } from './json-text.js';
import { typeText } from './schema-text.js';

/** @import { Control } from './controls.js' */
/** @import { Description, Schema } from './description.js' */

/** The fields of an object: of the params, or of an object within them. */
export class ObjectFields {
  /**
   * @param {Schema} schema resolved
   * @param {Description} description
   */
  constructor(schema, description) {
    this.schema = schema;
    /** Members that mean the same as the first of them. */
    this.aliases = (schema['x-equal'] ?? []).slice(1);
    const members = Object.entries(schema.properties ?? {}).filter(([name]) => !this.aliases.includes(name));
    this.fields = members.map(([name, member]) => fieldOf(name, member, isNeeded(schema, name), description));
    const alternatives = schema.oneOf ?? [];
    /** Members that are needed or refused, as the alternative says that is chosen. */
    this.dependent = new Set(
      alternatives.flatMap(({ properties = {}, required = [] }) => [...Object.keys(properties), ...required]),
    );
    const isFirst = (/** @type {Field} */ { name }) => isNeeded(schema, name) || this.dependent.has(name);
    const first = this.fields.filter(isFirst);
    const others = this.fields.filter((field) => !isFirst(field));
    this.element = element(
      'div',
      { class: 'fields' },
      first.map(({ element: shown }) => shown),
      folded(first, others),
    );
    this.element.addEventListener('change', () => this.adapt());
    this.adapt();
  }

  /** @param {string} name */
  find(name) {
    const shown = this.aliases.includes(name) ? this.schema['x-equal']?.[0] : name;
    return this.fields.find((field) => field.name === shown);
  }

  /** Shows only what the chosen alternative takes, and marks what it needs. */
  adapt() {
    const alternatives = this.schema.oneOf ?? [];
    if (alternatives.length === 0) return;
    const chosen = alternatives.find(({ properties = {} }) =>
      Object.entries(properties).some(
        ([name, one]) => one.const !== undefined && this.find(name)?.json() === JSON.stringify(one.const),
      ),
    );
    for (const field of this.fields.filter(({ name }) => this.dependent.has(name))) {
      const isAlways = isNeeded(this.schema, field.name);
      const { type, not } = chosen?.properties?.[field.name] ?? {};
      field.hide(chosen ? type === 'null' || not !== undefined : !isAlways);
      field.require(isAlways || (chosen?.required?.includes(field.name) ?? false));
    }
  }

  json() {
    const given = this.fields.map((field) => [field.name, field.json()]).filter(([, text]) => text !== undefined);
    return `{${given.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
  }

  /**
   * @param {string} json of an object
   * @returns {string | undefined} the name of a member that cannot be shown
   */
  fill(json) {
    const parts = partsOf(json);
    const names = parts.map(({ name = '' }) => this.find(name)?.name);
    for (const field of this.fields) field.fill(parts[names.indexOf(field.name)]?.text);
    this.adapt();
    const isShown = (/** @type {string} */ text, /** @type {number} */ index) => {
      const shown = this.find(names[index] ?? '')?.json();
      return names.indexOf(names[index]) === index && shown !== undefined && minified(shown) === text;
    };
    return parts.find(({ text }, index) => !isShown(text, index))?.name;
  }

  /** Shows what cannot be sent. False if there is something. */
  check() {
    return this.fields.map((field) => field.check()).every((isRight) => isRight);
  }

  /**
   * @param {readonly string[]} path
   * @param {string} message
   * @returns {boolean} false if there is no such field
   */
  show([name = '', ...rest], message) {
    const field = this.find(name);
    if (!field || field.isHidden) return false;
    field.show(rest, message);
    return true;
  }

  clear() {
    for (const field of this.fields) field.clear();
  }
}

/**
 * What may be left out is shown only on demand, unless there is nothing else.
 *
 * @param {readonly Field[]} first
 * @param {readonly Field[]} others
 */
function folded(first, others) {
  const elements = others.map((field) => field.element);
  if (first.length === 0 || others.length === 0) return elements;
  const summary = element('summary', {}, `Optional (${others.length})`);
  return element('details', {}, summary, element('div', { class: 'fields' }, elements));
}

/**
 * @param {string} name
 * @param {Schema} schema
 * @param {boolean} needed
 * @param {Description} description
 */
function fieldOf(name, schema, needed, description) {
  const resolved = description.resolve(schema);
  const facts = { needed, kind: typeText(schema, description), hint: schema.description ?? resolved.description ?? '' };
  return new Field(name, controlOf(resolved, needed, description), facts);
}

/**
 * @param {Schema} schema resolved
 * @param {boolean} needed
 * @param {Description} description
 * @returns {Control}
 */
function controlOf(schema, needed, description) {
  if (schema.properties) return objectControl(schema, description);
  const elements = schema.items && description.resolve(schema.items);
  if (elements?.properties) return new ObjectList(elements, description);
  return simpleControl(schema, needed);
}

/**
 * @param {Schema} schema
 * @param {Description} description
 * @returns {Control}
 */
function objectControl(schema, description) {
  const fields = new ObjectFields(schema, description);
  const json = () => (fields.json() === '{}' ? undefined : fields.json());
  return {
    element: fields.element,
    json,
    fill: (given) => void fields.fill(given?.startsWith('{') ? given : '{}'),
    check: () => fields.check(),
    show: (path, message) => fields.show(path, message),
  };
}

/**
 * Objects, each with a button that removes it.
 *
 * @implements {Control}
 */
class ObjectList {
  /**
   * @param {Schema} schema of one of them
   * @param {Description} description
   */
  constructor(schema, description) {
    this.schema = schema;
    this.description = description;
    /** @type {{ readonly fields: ObjectFields, readonly element: HTMLElement, readonly legend: HTMLElement }[]} */
    this.entries = [];
    this.list = element('div', { class: 'entries' });
    const more = element('button', { type: 'button', click: () => this.changed(this.add()) }, 'Add another');
    this.element = element('div', {}, this.list, more);
    this.add();
  }

  add() {
    const fields = new ObjectFields(this.schema, this.description);
    const remove = element('button', { type: 'button', class: 'quiet', click: () => this.remove(entry) }, 'Remove');
    const legend = element('legend', {});
    const entry = { fields, legend, element: element('fieldset', {}, legend, fields.element, remove) };
    this.entries.push(entry);
    this.list.append(entry.element);
    this.number();
    return entry;
  }

  /** @param {ObjectList['entries'][number]} entry */
  remove(entry) {
    this.entries = this.entries.filter((one) => one !== entry);
    entry.element.remove();
    this.number();
    this.changed(this.entries.at(-1));
  }

  number() {
    for (const [index, { legend }] of this.entries.entries()) legend.textContent = `[${index}]`;
  }

  /** @param {ObjectList['entries'][number] | undefined} entry which is entered next */
  changed(entry) {
    const next = entry?.element.querySelector('input') ?? this.element.querySelector('button');
    next?.focus();
    this.element.dispatchEvent(new Event('input', { bubbles: true }));
  }

  json() {
    return this.entries.length > 0 ? `[${this.entries.map(({ fields }) => fields.json()).join(',')}]` : undefined;
  }

  /** @param {string | undefined} given */
  fill(given) {
    for (const entry of this.entries.splice(0)) entry.element.remove();
    const parts = given?.startsWith('[') ? partsOf(given) : [];
    for (const { text } of parts) this.add().fields.fill(text.startsWith('{') ? text : '{}');
    if (given === undefined) this.add();
  }

  check() {
    return this.entries.map(({ fields }) => fields.check()).every((isRight) => isRight);
  }

  /**
   * @param {readonly string[]} path
   * @param {string} message
   */
  show([index = '', ...rest], message) {
    return this.entries[Number(index)]?.fields.show(rest, message) ?? false;
  }
}
