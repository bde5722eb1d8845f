const JSON_TYPES = /^application\/(?:json|json-rpc|jsonrequest|[a-z0-9!#$&^_.-]+\+json)$/i;
const UTF_8 = /^charset\s*=\s*"?utf-8"?$/i;

/** Whether a `Content-Type` promises JSON in UTF-8, the only encoding that JSON may have on the network. */
export function isJsonMediaType(contentType: string | undefined): boolean {
  if (contentType === 'application/json') return true;
  const [type = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim());
  return (
    JSON_TYPES.test(type) && parameters.every((parameter) => !/^charset\b/i.test(parameter) || UTF_8.test(parameter))
  );
}
