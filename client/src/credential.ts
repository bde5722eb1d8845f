/** What proves to the service on whose behalf calls are made. At most one of `apiKey` and `token`. */
export interface Credential {
  /** Sent as `x-api-key`. */
  readonly apiKey?: string | undefined;
  /** Sent as `Authorization: Bearer`. A function is asked before each request: tokens expire. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Sent as `x-instance-id`: the author of changes while authentication is off. */
  readonly instanceId?: string | undefined;
}

export async function credentialHeaders({ apiKey, token, instanceId }: Credential): Promise<Record<string, string>> {
  const given = typeof token === 'function' ? await token() : token;
  return {
    ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    ...(given === undefined ? {} : { authorization: `Bearer ${given}` }),
    ...(instanceId === undefined ? {} : { 'x-instance-id': instanceId }),
  };
}
