import { METHODS } from '../methods/method-descriptions';

const DESCRIPTIONS = new Map(METHODS.map((method) => [method.name, method]));

/** What `$SRV.INFO` says of a method: ADR-32 has only texts here, so the JSON Schemas are JSON texts. */
export function endpointMetadata(method: string): Record<string, string> | undefined {
  const description = DESCRIPTIONS.get(method);
  if (!description) return undefined;
  const { summary, role, params, result } = description;
  return {
    summary,
    role,
    format: 'application/json',
    request_schema: JSON.stringify(params),
    response_schema: JSON.stringify(result),
  };
}
