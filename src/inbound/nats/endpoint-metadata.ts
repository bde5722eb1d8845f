import { METHODS } from '../methods/method-descriptions';

const DESCRIPTIONS = new Map(METHODS.map((method) => [method.name, method]));

/**
 * The reply to `$SRV.INFO` has the schemas of all methods: a server that takes only smaller messages gets none of them.
 */
export const MIN_PAYLOAD_WITH_SCHEMAS = 128 * 1024;

/** What `$SRV.INFO` says of a method: ADR-32 has only texts here, so the JSON Schemas are JSON texts. */
export function endpointMetadata(method: string, maxPayloadBytes = Infinity): Record<string, string> | undefined {
  const description = DESCRIPTIONS.get(method);
  if (!description) return undefined;
  const { summary, role, params, result } = description;
  const about = { summary, role, format: 'application/json' };
  if (maxPayloadBytes < MIN_PAYLOAD_WITH_SCHEMAS) return about;
  return { ...about, request_schema: JSON.stringify(params), response_schema: JSON.stringify(result) };
}
