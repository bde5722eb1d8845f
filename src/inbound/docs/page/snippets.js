import { indented, minified, tokensOf } from './json-text.js';

/**
 * @typedef {object} Call
 * @property {string} url of `POST /rpc`
 * @property {string} method
 * @property {string} params JSON text
 * @property {number} id
 * @property {string} subject of the NATS request
 * @property {boolean} needsCredential
 * @property {boolean} [hasToken] the credential is an access token, not a key
 */

const ONE_LINE = 30;
/** The snippets name a variable, so that no credential is ever part of a copied text. */
const KEY = { header: 'x-api-key', scheme: '', variable: 'DOSSIER_KEY' };
const TOKEN = { header: 'authorization', scheme: 'Bearer ', variable: 'DOSSIER_TOKEN' };

/** @param {Pick<Call, 'hasToken'>} call */
export function credentialOf({ hasToken }) {
  return hasToken ? TOKEN : KEY;
}

/**
 * The JSON-RPC request.
 *
 * @param {Pick<Call, 'method' | 'params' | 'id'>} call
 */
export function requestText({ method, params, id }) {
  return `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${minified(params)}}`;
}

/**
 * The same call in several languages. Each sends the same JSON, whatever it holds.
 *
 * @type {readonly { readonly name: string, readonly write: (call: Call) => string }[]}
 */
export const LANGUAGES = [
  { name: 'curl', write: curl },
  { name: 'JavaScript', write: javaScript },
  { name: 'Python', write: python },
  { name: 'NATS', write: natsRequest },
];

/** @param {Call} call */
function curl(call) {
  const { header, scheme, variable } = credentialOf(call);
  return [
    `curl -sS ${shellQuoted(call.url)} \\`,
    `  -H 'content-type: application/json' \\`,
    ...(call.needsCredential ? [`  -H "${header}: ${scheme}$${variable}" \\`] : []),
    `  -d ${shellQuoted(readable(call))}`,
  ].join('\n');
}

/** @param {Call} call */
function javaScript(call) {
  const { header, scheme, variable } = credentialOf(call);
  const prefix = scheme && `'${scheme}' + `;
  const credential = call.needsCredential ? `, '${header}': ${prefix}process.env.${variable}` : '';
  const text = requestText(call);
  const body = isJavaScript(text) ? `JSON.stringify(${readable(call).replaceAll('\n', '\n  ')})` : JSON.stringify(text);
  return [
    `const response = await fetch(${JSON.stringify(call.url)}, {`,
    `  method: 'POST',`,
    `  headers: { 'content-type': 'application/json'${credential} },`,
    `  body: ${body},`,
    `});`,
    `console.log(await response.text());`,
  ].join('\n');
}

/** @param {Call} call */
function python(call) {
  const { header, scheme, variable } = credentialOf(call);
  const prefix = scheme && `"${scheme}" + `;
  const credential = call.needsCredential ? `, "${header}": ${prefix}os.environ["${variable}"]` : '';
  const text = requestText(call);
  const [module, body] = isPython(text)
    ? ['json, ', `json.dumps(call, ensure_ascii=False).encode()`]
    : ['', 'call.encode()'];
  return [
    `import ${module}${call.needsCredential ? 'os, ' : ''}urllib.request`,
    ``,
    `call = ${isPython(text) ? pythonLiteral(readable(call)) : JSON.stringify(text)}`,
    `request = urllib.request.Request(`,
    `    ${JSON.stringify(call.url)},`,
    `    ${body},`,
    `    {"content-type": "application/json"${credential}},`,
    `)`,
    `with urllib.request.urlopen(request) as response:`,
    `    print(response.read().decode())`,
  ].join('\n');
}

/** @param {Call} call */
function natsRequest({ subject, params, needsCredential, hasToken }) {
  const { header, scheme, variable } = credentialOf({ hasToken });
  const credential = needsCredential ? ` -H "${header}:${scheme}$${variable}"` : '';
  // The command reads {{ as the beginning of a template. In JSON it can stand only within a string.
  const payload = minified(params).replaceAll('{{', '{\\u007b');
  return `nats request ${shellQuoted(subject)}${credential} \\\n  ${shellQuoted(payload)}`;
}

/** @param {string} text */
function shellQuoted(text) {
  return /^[\w./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * The request with line breaks where a reader wants them.
 *
 * @param {Call} call
 */
function readable({ method, params, id }) {
  const short = minified(params);
  const shown = short.length > ONE_LINE ? indented(params).replaceAll('\n', '\n  ') : short;
  return [
    '{',
    `  "jsonrpc": "2.0", "id": ${id},`,
    `  "method": ${JSON.stringify(method)},`,
    `  "params": ${shown}`,
    '}',
  ].join('\n');
}

/**
 * Whether JavaScript, which takes it for an expression, would send the same text again.
 *
 * @param {string} text
 */
function isJavaScript(text) {
  return !text.includes('"__proto__"') && JSON.stringify(JSON.parse(text)) === text;
}

/**
 * Whether Python would send the same text again: it has no escapes for parts of a character, and its own spelling of
 * very small and very large numbers.
 *
 * @param {string} text
 */
function isPython(text) {
  const isPlain = (/** @type {string} */ token) => !/^-?(0\.0000|\d[\d.]*e)/i.test(token) && !/\\ud/i.test(token);
  return JSON.stringify(JSON.parse(text)) === text && tokensOf(text).every(isPlain);
}

/**
 * The texts of the tokens are the same in both languages, apart from three words.
 *
 * @param {string} text
 */
function pythonLiteral(text) {
  const words = new Map([
    ['true', 'True'],
    ['false', 'False'],
    ['null', 'None'],
  ]);
  let start = 0;
  return tokensOf(text)
    .map((token) => {
      const space = text.slice(start, text.indexOf(token, start));
      start += space.length + token.length;
      return space + (words.get(token) ?? token);
    })
    .join('');
}
