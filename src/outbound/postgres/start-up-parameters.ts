/** What the client does with its URL. It would take any other parameter for an option of its own, or drop it. */
const UNDERSTOOD = [
  ...['host', 'port', 'user', 'password', 'application_name', 'options'],
  ...['ssl', 'sslmode', 'sslcert', 'sslkey', 'sslrootcert', 'sslnegotiation', 'uselibpqcompat'],
];
const SETTING = /^(?:-c ?|--)([A-Za-z_][\w.-]*)=(.*)$/s;
/** Of the command line of a server: blanks end an argument, unless a backslash stands before them. */
const ARGUMENT = /(?:\\.|[^\s\\])+/gs;

export interface SessionSource {
  readonly connectionString: string;
  /** To be set in each session before its first use. */
  readonly settings: Readonly<Record<string, string>>;
  /** Parameters that mean nothing here. */
  readonly ignored: readonly string[];
}

/**
 * Takes the settings out of a URL, such as those in `options=-c search_path=tasks`: poolers refuse them as parameters
 * of the start-up. Throws an error that says what is wrong with them.
 */
export function withoutStartUpParameters(url: string): SessionSource {
  const address = new URL(url);
  const options = address.searchParams.get('options');
  const ignored = [...address.searchParams.keys()].filter((name) => !UNDERSTOOD.includes(name));
  // Not written anew without need: the client reads some URLs in its own way.
  if (options === null && ignored.length === 0) return { connectionString: url, settings: {}, ignored };
  for (const name of ['options', ...ignored]) address.searchParams.delete(name);
  return { connectionString: address.toString(), settings: Object.fromEntries(settingsIn(options ?? '')), ignored };
}

function settingsIn(options: string): readonly (readonly [string, string])[] {
  const words = (options.match(ARGUMENT) ?? []).map((word) => word.replace(/\\(.)/gs, '$1'));
  const args = words.flatMap((word, i) => {
    if (words[i - 1] === '-c') return [`-c ${word}`];
    return word === '-c' && i < words.length - 1 ? [] : [word];
  });
  return args.map((arg) => {
    const [, name, value] = SETTING.exec(arg) ?? [];
    if (name === undefined || value === undefined) throw new Error('may have options only such as -c name=value');
    // As the server reads its command line.
    return [name.replaceAll('-', '_'), value] as const;
  });
}
