/** What `node dist/main.js --help` prints. */
export const USAGE = `usage: node dist/main.js

Serves tasks and their attachments over JSON-RPC 2.0, until SIGTERM or SIGINT ends the process.
There are no arguments. All settings are environment variables; these are the first ones to know:

  PORT           the HTTP port (3000)
  HOST           the address to listen on (127.0.0.1)
  DATABASE_URL   PostgreSQL; unset: an embedded database in DATA_DIR
  DATA_DIR       the directory of the embedded database (./data); memory: nothing is kept
  REDIS_URL      Redis; unset: a cache inside the process
  NATS_URL       NATS; unset: no requests over NATS, and events stay in the process
  API_KEYS_FILE  the keys of callers; unset: authentication is off
  LOG_LEVEL      trace, debug, info (default), warn, error
  LOG_FORMAT     pretty or json; unset: pretty on a terminal, else json

docs/configuration.md has the complete list. What runs and ends (migrations, new API keys) is another program:
node dist/commands/dossier.js help
`;
