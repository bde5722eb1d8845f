import type { JsonSchema } from '../methods/json-schema';
import { METHODS, type MethodDescription } from '../methods/method-descriptions';
import { EVENTS } from './event-schemas';
import { NamedSchemas } from './named-schemas';
import type { ServiceFacts } from './service-facts';

type Entries = readonly (readonly [string, object])[];

const SSE = 'events';
const ID: JsonSchema = { type: ['string', 'number', 'null'] };

/** AsyncAPI 3.1: the events, over NATS and as server-sent events, and the methods as NATS requests. */
export function asyncApiDocument({ version, address, nats }: ServiceFacts): object {
  const schemas = new NamedSchemas();
  const subjectOf = (name: string) => (nats?.prefix === undefined ? name : `${nats.prefix}.${name}`);
  const eventMessages = EVENTS.map(({ type, summary, message }) => [
    message.title as string,
    { name: type, title: message.title, summary, contentType: 'application/json', payload: schemas.refer(message) },
  ]) satisfies Entries;
  const requests = METHODS.map((method) => new Request(method, schemas));
  const channels = [
    ...EVENTS.map(({ type, message }) => [type, eventChannel(subjectOf(type), message.title as string)]),
    [SSE, sseChannel()],
    ...requests.flatMap((request) => request.channels(subjectOf)),
  ] as Entries;
  return {
    asyncapi: '3.1.0',
    info: { title: 'Dossier', version, description: DESCRIPTION, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    servers: {
      nats: { host: 'localhost:4222', protocol: 'nats', description: 'The server of `NATS_URL`, if it is set.' },
      http: { host: address, protocol: 'http', description: 'This service.' },
    },
    channels: Object.fromEntries(channels),
    operations: Object.fromEntries([...eventOperations(), ...requests.map((request) => request.operation())]),
    components: {
      messages: Object.fromEntries([...eventMessages, ...requests.flatMap((request) => request.messages())]),
      schemas: schemas.all,
    },
  };
}

const DESCRIPTION =
  'Every change of a task or an attachment is announced by an event: at least once, in order for each attachment and for ' +
  "the task's own events. An event never contains the value, content or url of an attachment.";

function eventChannel(address: string, message: string): object {
  return { address, servers: [{ $ref: '#/servers/nats' }], messages: { [message]: messageRef(message) } };
}

function sseChannel(): object {
  const names = EVENTS.map(({ message }) => message.title as string);
  return {
    address: '/events',
    description: 'Server-sent events: `id` to continue after, `event` with the type, `data` with the message.',
    servers: [{ $ref: '#/servers/http' }],
    messages: Object.fromEntries(names.map((name) => [name, messageRef(name)])),
    bindings: { http: {} },
  };
}

function eventOperations(): Entries {
  const published = EVENTS.map(({ type, summary }) => [`publish.${type}`, send(type, summary)] as const);
  return [...published, ['stream.events', send(SSE, 'Streams the events of the organisation of the caller.')]];
}

function send(channel: string, summary: string): object {
  return { action: 'send', channel: { $ref: `#/channels/${channel}` }, summary };
}

/** A method as a NATS request. */
class Request {
  private readonly channel: string;

  constructor(
    private readonly method: MethodDescription,
    private readonly schemas: NamedSchemas,
  ) {
    this.channel = `request.${method.name}`;
  }

  channels(subjectOf: (name: string) => string): Entries {
    const { name } = this.method;
    const request = { address: subjectOf(name), servers: NATS, messages: { request: messageRef(`${name}.request`) } };
    const reply = { address: null, servers: NATS, messages: { reply: messageRef(`${name}.reply`) } };
    return [
      [this.channel, request],
      [`reply.${this.method.name}`, reply],
    ];
  }

  operation(): readonly [string, object] {
    const reply = { channel: { $ref: `#/channels/reply.${this.method.name}` } };
    const channel = { $ref: `#/channels/${this.channel}` };
    return [this.channel, { action: 'receive', channel, summary: this.method.summary, reply }];
  }

  messages(): Entries {
    const { name, params, result, summary } = this.method;
    const paramsRef = this.schemas.refer(params);
    const request = {
      anyOf: [
        {
          type: 'object',
          description: 'A JSON-RPC request object. Its method may be left out.',
          properties: { jsonrpc: { const: '2.0' }, method: { const: name }, params: paramsRef, id: ID },
          required: ['jsonrpc'],
        },
        paramsRef,
      ],
    };
    const reply = {
      type: 'object',
      properties: {
        jsonrpc: { const: '2.0' },
        id: ID,
        result: this.schemas.refer(result),
        error: {
          type: 'object',
          properties: { code: { type: 'integer' }, message: { type: 'string' }, data: { type: 'object' } },
        },
      },
      required: ['jsonrpc', 'id'],
    };
    return [
      [`${name}.request`, { name: `${name} request`, summary, payload: request }],
      [`${name}.reply`, { name: `${name} reply`, payload: reply }],
    ];
  }
}

const NATS = [{ $ref: '#/servers/nats' }];

function messageRef(name: string): object {
  return { $ref: `#/components/messages/${name}` };
}
