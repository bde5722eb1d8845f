const JSON_TYPES = /^application\/(?:json|json-rpc|jsonrequest|[a-z0-9!#$&^_.-]+\+json)$/i;

/**
 * Whether a `Content-Type` promises JSON. Its parameters do not count: JSON on the network is UTF-8, and clients spell
 * that in many ways.
 */
export function isJsonMediaType(contentType: string | undefined): boolean {
  if (contentType === 'application/json') return true;
  const [type = ''] = (contentType ?? '').split(';', 1);
  return JSON_TYPES.test(type.trim());
}
