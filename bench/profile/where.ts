import type { Profiler } from 'node:inspector';

/** Where a process spends its time. */
export type Place = (typeof PLACES)[number];

/** In the order of the report. */
export const PLACES = [
  'writes to sockets',
  'node:http',
  'node:net and streams',
  'the rest of Node.js',
  'garbage collection',
  'fastify',
  'Nest',
  'ioredis',
  'pg and TypeORM',
  'other packages',
  'src/inbound',
  'src/core',
  'src/outbound',
  'src/app',
  'the bare server',
] as const;

const SOCKET_WRITE = /^write[vABLU]|^shutdown$/;
/** The first one that is found in the path of a file. */
const PLACE_OF_FILE: readonly (readonly [pattern: RegExp, place: Place])[] = [
  [/node_modules\/(@nestjs\/platform-fastify|@fastify|fastify|find-my-way|light-my-request|avvio)\//, 'fastify'],
  [/node_modules\/@nestjs\//, 'Nest'],
  [/node_modules\/(ioredis|redis-parser|@ioredis|denque|cluster-key-slot)\//, 'ioredis'],
  [/node_modules\/(pg|pg-[a-z]+|typeorm|postgres-[a-z]+)\//, 'pg and TypeORM'],
  [/node_modules\//, 'other packages'],
  [/dist\/inbound\//, 'src/inbound'],
  [/dist\/core\//, 'src/core'],
  [/dist\/outbound\//, 'src/outbound'],
  [/dist\/bench\//, 'the bare server'],
  [/dist\//, 'src/app'],
  [/^node:_http_/, 'node:http'],
  [/^node:(net|internal\/streams?)\b/, 'node:net and streams'],
];

/** Before each of its parts, the one file into which the build puts the service names where that part comes from. */
const PART = /^\/\/ ((?:node_modules|dist)\/\S+)$/;

/** What share of the time in which the process does something it spends at each place. */
export function sharesOf(profile: Profiler.Profile, bundle: string): ReadonlyMap<Place, number> {
  const partOf = partsOf(bundle);
  const places = new Map(profile.nodes.map(({ id, callFrame }) => [id, placeOf(callFrame, partOf)]));
  const micros = new Map<Place, number>();
  let total = 0;
  profile.samples?.forEach((id, nth) => {
    const place = places.get(id);
    const took = profile.timeDeltas?.[nth] ?? 0;
    if (place === undefined) return;
    total += took;
    micros.set(place, (micros.get(place) ?? 0) + took);
  });
  return new Map([...micros].map(([place, took]) => [place, took / total]));
}

type PartOf = (line: number) => string | undefined;

/** Undefined: the process does nothing, or what the profiler asks of it. */
function placeOf({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame'], partOf: PartOf) {
  if (functionName === '(idle)' || (url === '' && functionName === 'dispatch')) return undefined;
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (url === '' && SOCKET_WRITE.test(functionName)) return 'writes to sockets';
  const file = url.endsWith('/dist/app/bundle.js') ? partOf(lineNumber) : url;
  return PLACE_OF_FILE.find(([pattern]) => file !== undefined && pattern.test(file))?.[1] ?? 'the rest of Node.js';
}

function partsOf(bundle: string): PartOf {
  const parts: (string | undefined)[] = [];
  let part: string | undefined;
  for (const line of bundle.split('\n')) {
    part = PART.exec(line)?.[1] ?? part;
    parts.push(part);
  }
  return (line) => parts[line];
}
