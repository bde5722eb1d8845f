import { element, uniqueId } from './elements.js';
import { indented } from './json-text.js';

/** @import { Schema } from './description.js' */

/**
 * What a value is entered with. It gives and takes JSON texts.
 *
 * @typedef {object} Control
 * @property {HTMLElement} element
 * @property {HTMLElement} [input] the one that a label can name; without one the control is a group
 * @property {() => string | undefined} json undefined if the value is left out
 * @property {(json: string | undefined) => void} fill shows a value, or as much of it as it can
 * @property {() => string | undefined} [problem] why the entered text cannot be sent
 * @property {(path: readonly string[], message: string) => boolean} [show] shows the problem of a part of the value
 * @property {() => boolean} [check] shows what cannot be sent, in any part; false if there is something
 */

/** A string with more characters is entered in an area of several lines, if it may have any. */
const LONG_TEXT = 200;
const LEFT_OUT = '';

/**
 * For values that have no parts of their own.
 *
 * @param {Schema} schema resolved
 * @param {boolean} needed
 * @returns {Control}
 */
export function simpleControl(schema, needed) {
  const meaning = schema['x-null'];
  const control = controlOfKind(schema, needed);
  return meaning === undefined ? control : orNull(control, meaning);
}

/** @type {typeof simpleControl} */
function controlOfKind(schema, needed) {
  const kind = [schema.type ?? 'any'].flat().find((one) => one !== 'null');
  if (schema.enum) return choice(wordsOf(schema.enum), needed, schema.default);
  const several = schema.anyOf?.map(({ items }) => items?.enum).find((words) => words !== undefined);
  if (several) return severalChoices(wordsOf(several));
  if (kind === 'boolean') return choice(['true', 'false'], needed, schema.default);
  if (kind === 'string') return text(schema);
  if (kind === 'integer') return number(schema);
  return jsonArea();
}

/**
 * A control with a box for null.
 *
 * @param {Control} control
 * @param {string} meaning of null
 * @returns {Control}
 */
function orNull(control, meaning) {
  const box = element('input', { type: 'checkbox', change: () => adapt() });
  const adapt = () => control.input?.toggleAttribute('disabled', box.checked);
  return {
    ...control,
    element: element('div', {}, control.element, element('label', { class: 'choice' }, box, `null: ${meaning}`)),
    json: () => (box.checked ? 'null' : control.json()),
    fill(given) {
      box.checked = given === 'null';
      adapt();
      control.fill(box.checked ? undefined : given);
    },
  };
}

/** @param {unknown[]} words */
function wordsOf(words) {
  return words.filter((word) => word !== null).map((word) => JSON.stringify(word));
}

/**
 * @param {Schema} schema
 * @returns {Control}
 */
function text(schema) {
  const takes = (/** @type {string} */ one) =>
    schema.pattern === undefined || new RegExp(schema.pattern, 'u').test(one);
  const isLong = (schema.maxLength ?? Infinity) > LONG_TEXT && schema.format === undefined && takes('a\nb');
  const input = isLong
    ? element('textarea', { id: uniqueId(), rows: '3' })
    : element('input', { id: uniqueId(), type: 'text' });
  // An empty input means that the member is left out. If an empty text is a value of its own, it has to be asked for.
  const mayBeEmpty = schema.minLength === undefined && schema.default === undefined && isLong && takes('');
  const empty = element('input', { type: 'checkbox' });
  const json = () => (input.value !== '' || (mayBeEmpty && empty.checked) ? JSON.stringify(input.value) : undefined);
  return {
    element: element(
      'div',
      {},
      input,
      mayBeEmpty && element('label', { class: 'choice' }, empty, 'Send it even if it is empty'),
    ),
    input,
    json,
    fill(given) {
      const value = given === undefined ? undefined : JSON.parse(given);
      input.value = typeof value === 'string' ? value : '';
      empty.checked = value === '';
    },
  };
}

/**
 * The text is sent as it is: the service says what is wrong with it, and may take more than a browser would.
 *
 * @param {Schema} schema
 * @returns {Control}
 */
function number(schema) {
  const placeholder = schema.default === undefined ? undefined : String(schema.default);
  const input = element('input', { id: uniqueId(), type: 'text', inputmode: 'numeric', placeholder });
  const json = () => {
    const entered = input.value.trim();
    if (entered === '') return undefined;
    return /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i.test(entered) ? entered : JSON.stringify(entered);
  };
  return {
    element: input,
    input,
    json,
    fill(given) {
      input.value = given ?? '';
    },
  };
}

/**
 * @param {string[]} words JSON texts
 * @param {boolean} needed
 * @param {unknown} fallback what holds if it is left out
 * @returns {Control}
 */
function choice(words, needed, fallback) {
  const leaveOut = fallback === undefined ? 'Leave out' : `Leave out: ${fallback}`;
  const none = element('option', { value: LEFT_OUT }, needed ? 'Choose…' : leaveOut);
  const options = words.map((word) => element('option', { value: word }, String(JSON.parse(word))));
  const input = element('select', { id: uniqueId() }, none, options);
  const json = () => (input.value === LEFT_OUT ? undefined : input.value);
  return {
    element: input,
    input,
    json,
    fill(given) {
      input.value = given ?? LEFT_OUT;
      if (input.selectedIndex === -1) input.value = LEFT_OUT;
    },
  };
}

/**
 * One word, or an array of them.
 *
 * @param {string[]} words JSON texts
 * @returns {Control}
 */
function severalChoices(words) {
  const boxes = words.map((word) => element('input', { type: 'checkbox', value: word }));
  const labels = boxes.map((box) => element('label', { class: 'choice' }, box, JSON.parse(box.value)));
  const json = () => {
    const chosen = boxes.filter(({ checked }) => checked).map(({ value }) => value);
    return chosen.length > 1 ? `[${chosen.join(',')}]` : chosen[0];
  };
  return {
    element: element('div', { class: 'choices' }, labels),
    json,
    fill(given) {
      const chosen = given === undefined ? [] : [JSON.parse(given)].flat().map((word) => JSON.stringify(word));
      for (const box of boxes) box.checked = chosen.includes(box.value);
    },
  };
}

/**
 * Any JSON value, as text.
 *
 * @returns {Control}
 */
export function jsonArea(rows = '4') {
  const input = element('textarea', { id: uniqueId(), class: 'code', rows, spellcheck: 'false', placeholder: 'JSON' });
  const json = () => (input.value.trim() === '' ? undefined : input.value.trim());
  return {
    element: input,
    input,
    json,
    fill(given) {
      input.value = given === undefined ? '' : indented(given);
    },
    problem() {
      try {
        JSON.parse(json() ?? 'null');
        return undefined;
      } catch (error) {
        return `is not JSON: ${error instanceof Error ? error.message : error}`;
      }
    },
  };
}
