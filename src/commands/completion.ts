import type { Command } from 'commander';
import { METHODS } from '../inbound/methods/method-descriptions';
import type { Shell } from './shells';

/** What may follow the words of a command line, apart from files. */
interface Place {
  /** The words that lead to it, each with a blank before it: ` keys create`. */
  readonly path: string;
  readonly words: readonly string[];
}

const WRITERS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = { bash, zsh, fish };

/**
 * For bash 3.2, too, which has no `compopt`. The script knows everything by itself: nothing is started when the shell
 * completes a word.
 */
export function printCompletion(shell: Shell, program: Command): void {
  process.stdout.write(WRITERS[shell](placesIn(program, '')));
}

function placesIn(command: Command, path: string): readonly Place[] {
  const options = command.options.flatMap(({ long }) => (long === undefined ? [] : [long]));
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const subCommands = command.commands.map((one) => one.name());
  const methods = path === ' call' ? METHODS.map(({ name }) => name) : [];
  const here = { path, words: [...subCommands, ...choices, ...methods, ...options, '--help'] };
  return [
    here,
    ...command.commands.flatMap((one) => placesIn(one, `${path} ${one.name()}`)),
    ...(methods.length > 0 ? METHODS.map((method) => paramsPlace(path, method, options)) : []),
  ];
}

function paramsPlace(path: string, { name, params }: (typeof METHODS)[number], options: readonly string[]): Place {
  return {
    path: `${path} ${name}`,
    words: [...Object.keys(params.properties).map((param) => `${param}=`), ...options],
  };
}

/** The word after which a command line is at another place. */
function leadingPaths(places: readonly Place[]): readonly string[] {
  return places.map(({ path }) => path).filter((path) => path !== '');
}

function bash(places: readonly Place[]): string {
  const cases = places.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;\n`);
  return `# bash completion of dossier: source <(dossier completion bash)
_dossier() {
  local path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      ${leadingPaths(places).map(quoted).join('|')}) path="$path $word" ;;
    esac
  done
  case "$path" in
${cases.join('')}  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o default -F _dossier dossier
`;
}

function zsh(places: readonly Place[]): string {
  const cases = places.map(({ path, words }) => {
    const [params, others] = [words.filter((word) => word.endsWith('=')), words.filter((word) => !word.endsWith('='))];
    return `    (${quoted(path)}) params=(${params.join(' ')}) words_here=(${others.join(' ')}) ;;\n`;
  });
  return `#compdef dossier
# zsh completion of dossier: source <(dossier completion zsh), behind compinit
_dossier() {
  local path_here='' word
  local -a params words_here
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path_here $word" in
      (${leadingPaths(places).map(quoted).join('|')}) path_here="$path_here $word" ;;
    esac
  done
  case "$path_here" in
${cases.join('')}  esac
  compadd -S '' -- $params
  compadd -- $words_here
  _files
}
compdef _dossier dossier
`;
}

function fish(places: readonly Place[]): string {
  const lines = places.map(({ path, words }) => {
    return `complete -c dossier -n "__dossier_at ${quoted(path)}" -a ${quoted(words.join(' '))}\n`;
  });
  return `# fish completion of dossier: dossier completion fish | source
function __dossier_at
  set -l path ''
  for word in (commandline -opc)[2..-1]
    switch "$path $word"
      case ${leadingPaths(places).map(quoted).join(' ')}
        set path "$path $word"
    end
  end
  test "$path" = "$argv[1]"
end
${lines.join('')}`;
}

/** Names and paths have no quotes. */
function quoted(text: string): string {
  return `'${text}'`;
}
