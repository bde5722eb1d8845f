const OUTSIDE = '^(node:|node_modules/)|^[a-z_]+(/promises)?$';

/** Allowlists: an import that no rule allows is an error. */
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  allowed: [
    { from: { path: '^src/core/domain/' }, to: { path: '^src/core/domain/' } },
    { from: { path: '^src/core/ports/' }, to: { path: '^src/core/(domain|ports)/' } },
    { from: { path: '^src/core/use-cases/' }, to: { path: '^src/core/' } },

    { from: { path: '^src/inbound/' }, to: { path: ['^src/core/', OUTSIDE] } },
    { from: { path: '^src/inbound/([^/]+)/' }, to: { path: '^src/inbound/$1/' } },
    { from: { path: '^src/inbound/rpc/' }, to: { path: '^src/inbound/auth/' } },
    { from: { path: '^src/inbound/health/' }, to: { path: '^src/inbound/background/' } },
    { from: { path: '^src/inbound/nats/' }, to: { path: '^src/inbound/(auth|rpc)/' } },
    { from: { path: '^src/inbound/http/' }, to: { path: '^src/inbound/(auth|rpc|health)/' } },

    { from: { path: '^src/outbound/' }, to: { path: ['^src/core/', OUTSIDE] } },
    { from: { path: '^src/outbound/([^/]+)/' }, to: { path: '^src/outbound/$1/' } },

    { from: { path: '^src/config\\.ts$' }, to: { path: ['^src/core/domain/', OUTSIDE] } },
    { from: { path: '^src/logging\\.ts$' }, to: { path: ['^src/config\\.ts$', OUTSIDE] } },
    { from: { path: '^src/wire-use-cases\\.ts$' }, to: { path: '^src/core/' } },
    {
      from: {
        path: '^src/(main|app\\.module|open-database|open-authenticator|migrate|migrate-metadata|keys-create)\\.ts$',
      },
      to: {},
    },
  ],
  allowedSeverity: 'error',
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
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
