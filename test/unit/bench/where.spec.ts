import { sharesOf } from '../../../bench/profile/where';

const BUNDLE = 'file:///srv/dist/app/bundle.js';
const TEXT = [
  'use strict',
  '// node_modules/fastify/lib/route.js',
  'function route() {}',
  '// a comment',
  'function more() {}',
  '// dist/inbound/json-rpc/json-rpc.js',
  'function answer() {}',
].join('\n');

describe('where a process spends its time', () => {
  const frame = (functionName: string, url = '', lineNumber = 0) => ({
    functionName,
    url,
    lineNumber,
    scriptId: '0',
    columnNumber: 0,
  });
  const shares = (...samples: (readonly [ReturnType<typeof frame>, micros: number])[]) => {
    const nodes = samples.map(([callFrame], id) => ({ id, callFrame }));
    const timeDeltas = samples.map(([, micros]) => micros);
    return Object.fromEntries(
      sharesOf({ nodes, samples: nodes.map(({ id }) => id), timeDeltas, startTime: 0, endTime: 0 }, TEXT),
    );
  };

  it('is told by the part of the one file, by the file, or by what Node.js says', () => {
    const each = [
      frame('route', BUNDLE, 2),
      frame('more', BUNDLE, 4),
      frame('answer', BUNDLE, 6),
      frame('query', 'file:///srv/node_modules/pg-protocol/dist/parser.js', 6),
      frame('writev'),
      frame('emit', 'node:events', 10),
      frame('parserOnIncoming', 'node:_http_server', 10),
      frame('Readable.push', 'node:internal/streams/readable', 10),
      frame('(garbage collector)'),
      frame('(program)'),
    ];
    expect(shares(...each.map((one) => [one, 10] as const))).toEqual({
      fastify: 0.2,
      'src/inbound': 0.1,
      'pg and TypeORM': 0.1,
      'writes to sockets': 0.1,
      'the rest of Node.js': 0.2,
      'node:http': 0.1,
      'node:net and streams': 0.1,
      'garbage collection': 0.1,
    });
  });

  it('is a share of the time in which it does something but answer the profiler', () => {
    expect(
      shares([frame('(idle)'), 70], [frame('dispatch'), 50], [frame('writev'), 10], [frame('route', BUNDLE, 2), 30]),
    ).toEqual({
      'writes to sockets': 0.25,
      fastify: 0.75,
    });
  });
});
