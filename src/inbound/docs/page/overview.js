import { CodeBlock } from './code-block.js';
import { urlOf } from './description.js';
import { badge, element, richText } from './elements.js';
import { errorList } from './reference.js';
import { LANGUAGES } from './snippets.js';

/** @import { Description, Method } from './description.js' */

const DOCUMENTS = [
  ['openrpc.json', 'the methods, in OpenRPC: this page is made from it'],
  ['openapi.json', 'the HTTP endpoints, in OpenAPI'],
  ['asyncapi.json', 'the events and the NATS requests, in AsyncAPI'],
];

/**
 * What a stranger reads first.
 *
 * @param {Description} description
 */
export function overview(description) {
  const about =
    'A task has attachments: JSON values, texts, links, or what is known of a file. This page describes every method, and ' +
    'calls it.';
  const title = element('h1', { tabindex: '-1' }, 'Tasks, and what belongs to them');
  return {
    head: element('header', { class: 'head' }, title, element('p', { class: 'lead' }, about)),
    reference: element('div', { class: 'reference' }, methods(description), errors(description), documents()),
    panel: calls(description),
  };
}

/** @param {Description} description */
function calls(description) {
  const method = description.method('task.create') ?? description.methods[0];
  const [curl] = LANGUAGES;
  if (!method || !curl) return undefined;
  const params = Object.fromEntries((method.examples[0]?.params ?? []).map(({ name, value }) => [name, value]));
  const block = new CodeBlock('A first call');
  const { needsCredential } = description;
  block.show(
    curl.write({
      url: urlOf('rpc').href,
      method: method.name,
      params: JSON.stringify(params),
      id: 1,
      subject: description.subjectOf(method.name),
      needsCredential,
    }),
  );
  const texts = [
    'A call is `POST /rpc` with a JSON-RPC 2.0 request. Parameters have names. With NATS, the name of a method is a subject.',
    needsCredential
      ? 'Each call needs a credential: an API key as `x-api-key`, or an access token as `Authorization: Bearer`.'
      : 'Calls need no credential here.',
  ];
  const paragraphs = texts.map((text) => element('p', {}, richText(text)));
  return element(
    'section',
    { class: 'panel call', 'aria-label': 'Calls' },
    element('h2', {}, 'Calls'),
    paragraphs,
    block.element,
  );
}

/** @param {Description} description */
function methods(description) {
  return section(
    'Methods',
    description.groups.map(({ name, methods: group }) =>
      element('div', {}, element('h3', { class: 'group' }, name), element('ul', { class: 'cards' }, group.map(card))),
    ),
  );
}

/** @param {Method} method */
function card(method) {
  return element(
    'li',
    {},
    element(
      'a',
      { href: `#${method.name}` },
      element('code', {}, method.name),
      badge(method['x-role']),
      element('span', {}, richText(method.summary)),
    ),
  );
}

/** @param {Description} description */
function errors(description) {
  const text = 'An error has a `code`, a `message`, and `data`. `data.code` is a word that never changes.';
  return section('Errors', element('p', {}, richText(text)), errorList(description.errors));
}

function documents() {
  return section(
    'For programs',
    element(
      'ul',
      {},
      DOCUMENTS.map(([path = '', about = '']) =>
        element('li', {}, element('a', { href: urlOf(path).href }, `/${path}`), `: ${about}`),
      ),
    ),
  );
}

/**
 * @param {string} title
 * @param {...(Node | readonly Node[])} content
 */
function section(title, ...content) {
  return element('section', {}, element('h2', {}, title), content.flat());
}
