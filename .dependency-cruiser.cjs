const OUTSIDE = '^(node:|node_modules/)|^[a-z_][a-z_0-9]*(/promises)?$';

/** What a folder of `src/inbound` may import of its neighbours: a request goes on from left to right, and never back. */
const NEIGHBOURS = {
  load: ['correlation'],
  auth: ['correlation', 'load'],
  'json-rpc': ['auth', 'correlation', 'load'],
  methods: ['auth', 'correlation', 'json-rpc'],
  docs: ['methods'],
  nats: ['auth', 'correlation', 'health', 'json-rpc', 'load', 'methods'],
  http: ['auth', 'correlation', 'health', 'json-rpc', 'load', 'methods'],
  mcp: ['auth', 'correlation', 'http', 'json-rpc', 'methods'],
  health: ['background'],
  admin: ['auth', 'http', 'methods'],
};

/** Allowlists: an import that no rule allows is an error. */
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  allowed: [
    { from: { path: '^src/core/domain/' }, to: { path: '^src/core/domain/' } },
    { from: { path: '^src/core/ports/' }, to: { path: '^src/core/(domain|ports)/' } },
    { from: { path: '^src/core/consistency/' }, to: { path: '^src/core/(domain|ports|consistency)/' } },
    { from: { path: '^src/core/quotas/' }, to: { path: '^src/core/(domain|ports|quotas)/' } },
    { from: { path: '^src/core/use-cases/' }, to: { path: '^src/core/' } },

    { from: { path: '^src/inbound/' }, to: { path: ['^src/core/', OUTSIDE] } },
    { from: { path: '^src/inbound/([^/]+)/' }, to: { path: '^src/inbound/$1/' } },
    ...Object.entries(NEIGHBOURS).flatMap(([room, neighbours]) =>
      neighbours.map((neighbour) => ({
        from: { path: `^src/inbound/${room}/` },
        to: { path: `^src/inbound/${neighbour}/` },
      })),
    ),

    { from: { path: '^src/outbound/' }, to: { path: ['^src/core/', OUTSIDE] } },
    { from: { path: '^src/outbound/([^/]+)/' }, to: { path: ['^src/outbound/$1/', '^src/outbound/system/'] } },

    { from: { path: '^src/(app|commands)/' }, to: { path: ['^src/(app|core|inbound|outbound)/', OUTSIDE] } },
    { from: { path: '^src/commands/' }, to: { path: '^src/commands/' } },
    { from: { path: '^src/main\\.ts$' }, to: { path: ['^src/app/', OUTSIDE] } },
  ],
  allowedSeverity: 'error',
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'opentelemetry-in-its-room-only',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/outbound/telemetry/' },
      to: { path: '(^|/)node_modules/@opentelemetry/' },
    },
    {
      name: 'opentelemetry-only-if-asked-for',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/outbound/telemetry/' },
      to: { path: '^src/outbound/telemetry/', dynamic: false },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-development-package-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
