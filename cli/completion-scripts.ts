import type { CommandShape, Completed, OptionShape } from "./completions.ts";

/** For bash 3.2 and later: `source <(plec completions bash)`. */
export function bashScript([plec, ...commands]: readonly CommandShape[]): string {
  const all = plec === undefined ? commands : [{ ...plec, name: "" }, ...commands];
  const values = all.flatMap(({ name, options }) =>
    options.flatMap(({ short, long, value }) =>
      value === null
        ? []
        : `    ${flagsOf(short, long)
            .map((flag) => quoted(`${name} ${flag}`))
            .join("|")}) ${bashValue(value)}; return ;;`,
    ),
  );
  const flags = all.map(
    ({ name, options }) =>
      `      ${quoted(name)}) _plec_words ${quoted(options.flatMap(({ short, long }) => flagsOf(short, long)).join(" "))} ;;`,
  );
  const positions = all.flatMap(({ name, argument }) => (argument === null ? [] : `      ${quoted(name)}) ${bashValue(argument)} ;;`));
  return `# Completion of plec for bash: source <(plec completions bash)

_plec_words() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_plec_files() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$cur"))
  compopt -o filenames 2>/dev/null
}

_plec() {
  local cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command= i
  COMPREPLY=()
  # bash takes --option=value apart at the sign.
  if [[ $cur == = ]]; then cur=
  elif [[ $before == = ]]; then before=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} != -* ]]; then command=\${COMP_WORDS[i]}; break; fi
  done
  case "$command $before" in
${values.join("\n")}
  esac
  if [[ $cur == -* ]]; then
    case $command in
${flags.join("\n")}
    esac
  else
    case $command in
${positions.join("\n")}
    esac
  fi
}

complete -F _plec plec
`;
}

function bashValue(value: Completed): string {
  if (value.kind === "words") return `_plec_words ${quoted(value.words.join(" "))}`;
  return value.kind === "files" ? "_plec_files" : ":";
}

/** For zsh: in a folder of `fpath` as `_plec`, or `source <(plec completions zsh)` after compinit. */
export function zshScript([plec, ...commands]: readonly CommandShape[]): string {
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`);
  const cases = commands.map(({ name, options, argument }) => {
    const specs = [...options.map(zshOption), ...(argument === null ? [] : [quoted(`*: :${zshValue(argument)}`)])];
    return `    ${name}) _arguments -s ${specs.join(" \\\n      ")} ;;`;
  });
  return `#compdef plec
# Completion of plec for zsh: source <(plec completions zsh), after compinit

_plec() {
  local context state state_descr line curcontext=$curcontext
  typeset -A opt_args
  local -a commands=(
${described.join("\n")}
  )
  _arguments -C ${[...(plec?.options ?? []).map(zshOption), quoted("1: :->command"), quoted("*:: :->arguments")].join(" \\\n    ")}
  case $state in
    command) _describe -t commands command commands ;;
    arguments)
      case $words[1] in
${cases.map((text) => `  ${text.replaceAll("\n", "\n  ")}`).join("\n")}
      esac ;;
  esac
}

if [[ $funcstack[1] == _plec ]]; then
  _plec "$@"
else
  compdef _plec plec
fi
`;
}

/** `'(-o --output)'{-o,--output}'[what]:value:_files'`. */
function zshOption({ short, long, description, value, repeatable }: OptionShape): string {
  const flags = flagsOf(short, long);
  const rest = quoted(`[${description.replaceAll(/[[\]:\\]/g, "\\$&")}]${value === null ? "" : `:value:${zshValue(value)}`}`);
  const exclusive = repeatable ? quoted("*") : quoted(`(${flags.join(" ")})`);
  return flags.length === 1 ? `${exclusive}${long}${rest}` : `${exclusive}{${flags.join(",")}}${rest}`;
}

function zshValue(value: Completed): string {
  if (value.kind === "words") return `(${value.words.join(" ")})`;
  return value.kind === "files" ? "_files" : " ";
}

/** For fish 3.0 and later: `plec completions fish | source`. */
export function fishScript([plec, ...commands]: readonly CommandShape[]): string {
  const lines = [
    ...commands.map(({ name, summary }) => `complete -c plec -n __fish_use_subcommand -a ${name} -d ${fishQuoted(summary)}`),
    ...(plec?.options ?? []).map((option) => fishOption("__fish_use_subcommand", option)),
    ...commands.flatMap(({ name, options, argument }) => {
      const condition = fishQuoted(`__fish_seen_subcommand_from ${name}`);
      return [
        ...options.map((option) => fishOption(condition, option)),
        ...(argument === null || argument.kind === "anything" ? [] : [`complete -c plec -n ${condition} ${fishValue(argument)}`]),
      ];
    }),
  ];
  return `# Completion of plec for fish: plec completions fish | source\n\ncomplete -c plec -f\n${lines.join("\n")}\n`;
}

function fishOption(condition: string, { short, long, description, value }: OptionShape): string {
  const flags = flagsOf(short, long).map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const required = value === null ? "" : value.kind === "files" ? " -r -F" : value.kind === "words" ? ` -x ${fishValue(value)}` : " -x";
  return `complete -c plec -n ${condition} ${flags.join(" ")}${required} -d ${fishQuoted(description)}`;
}

function fishValue(value: Completed): string {
  return value.kind === "words" ? `-a ${fishQuoted(value.words.join(" "))}` : "-F";
}

function flagsOf(short: string | null, long: string): readonly string[] {
  return short === null || short === long ? [long] : [short, long];
}

/** For bash and zsh. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
