import { Parser } from '@asyncapi/parser';
import { validate } from '@readme/openapi-parser';
import { DOMAIN_EVENT_TYPES } from '../../../../src/core/domain/domain-event';
import { DiscoverRpc } from '../../../../src/inbound/docs/discover.rpc';
import { Documents, type DocumentName } from '../../../../src/inbound/docs/documents';
import { ServiceFacts } from '../../../../src/inbound/docs/service-facts';
import { METHODS } from '../../../../src/inbound/methods/method-descriptions';
import { endpointMetadata, MIN_PAYLOAD_WITH_SCHEMAS } from '../../../../src/inbound/nats/endpoint-metadata';
import { CountingRoom } from '../../../support/counting-room';

interface OpenRpcSchemaUtils {
  validateOpenRPCDocument(document: object): true | Error;
  /** With all references resolved. */
  parseOpenRPCDocument(document: object): Promise<{ readonly methods: readonly { readonly name: string }[] }>;
}

/** Not imported: the compiler would read its types, and refuses them. */
const openRpc = jest.requireActual<OpenRpcSchemaUtils>('@open-rpc/schema-utils-js');

const LIMITS = { maxAttachmentBytes: 1000, maxBodyBytes: 2000, maxReplyBytes: 3000 };
const FACTS = new ServiceFacts('1.2.3', '127.0.0.1:3000', true, LIMITS, { prefix: 'staging' }, true);

function documentOf<T>(name: DocumentName): T {
  return JSON.parse(new Documents(FACTS).get(name).text) as T;
}

describe('the documents', () => {
  it('rpc.discover takes room for what it returns, so that a batch cannot have it for nothing', () => {
    const room = new CountingRoom();
    const document = new DiscoverRpc(new Documents(FACTS)).discover(undefined, { room });
    expect(room.takenBytes).toBe(Buffer.byteLength(document.text));
  });

  it('OpenRPC is valid against the schema of its version, and all references in it resolve', async () => {
    const document = documentOf<{ openrpc: string }>('openrpc');
    expect(document.openrpc).toBe('1.4.1');
    expect(openRpc.validateOpenRPCDocument(document)).toBe(true);
    const { methods } = await openRpc.parseOpenRPCDocument(document);
    expect(methods.map(({ name }) => name)).toEqual(METHODS.map(({ name }) => name));
  });

  it('OpenRPC says whether calls need a credential, and what stands before the NATS subjects', () => {
    expect(documentOf('openrpc')).toMatchObject({ 'x-needsCredential': true, 'x-nats': { subjectPrefix: 'staging.' } });
    const facts = new ServiceFacts('1.2.3', '127.0.0.1:3000', false, LIMITS, {});
    const text = new Documents(facts).get('openrpc').text;
    expect(JSON.parse(text)).toMatchObject({ 'x-needsCredential': false, 'x-nats': { subjectPrefix: '' } });
  });

  it('OpenAPI 3.1 is valid', async () => {
    const document = documentOf<Parameters<typeof validate>[0]>('openapi');
    expect(await validate(document)).toEqual({ valid: true, specification: 'OpenAPI', warnings: [] });
  });

  it('OpenAPI has the endpoint of MCP only if it is served', () => {
    const withoutMcp = new Documents(new ServiceFacts('1.2.3', '127.0.0.1:3000', true, LIMITS)).get('openapi');
    expect(documentOf<{ paths: object }>('openapi').paths).toHaveProperty(['/mcp', 'post']);
    expect(JSON.parse(withoutMcp.text)).not.toHaveProperty(['paths', '/mcp']);
  });

  it('AsyncAPI 3.1 is valid, and has every event and every method under the prefix of the deployment', async () => {
    const { document, diagnostics } = await new Parser().parse(new Documents(FACTS).get('asyncapi').text);
    expect(diagnostics.filter(({ severity }) => Number(severity) <= 1)).toEqual([]);
    expect(document?.version()).toBe('3.1.0');
    const addresses = document!
      .channels()
      .all()
      .map((channel) => channel.address());
    const subjects = [...DOMAIN_EVENT_TYPES, ...METHODS.map(({ name }) => name)].map((name) => `staging.${name}`);
    expect(addresses).toEqual(expect.arrayContaining(subjects));
  });

  it('a document is built once', () => {
    const documents = new Documents(FACTS);
    expect(documents.get('openrpc')).toBe(documents.get('openrpc'));
    expect(documents.get('openrpc').etag).toMatch(/^"[\w-]{22}"$/);
  });

  it('what service discovery says of all methods is far below the payload that every NATS server takes', () => {
    const bytes = METHODS.map(({ name }) => Buffer.byteLength(JSON.stringify(endpointMetadata(name))));
    expect(bytes.reduce((sum, one) => sum + one)).toBeLessThan(MIN_PAYLOAD_WITH_SCHEMAS / 2);
  });

  it.each<[DocumentName, number]>([
    ['openrpc', 100_000],
    ['openapi', 30_000],
    ['asyncapi', 60_000],
  ])('%s has at most %d bytes', (name, bytes) => {
    expect(Buffer.byteLength(new Documents(FACTS).get(name).text)).toBeLessThan(bytes);
  });
});
