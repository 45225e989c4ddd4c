/**
 * dfs-tool completion: prints a script for bash, zsh or fish, made from the definitions of the
 * commands.
 */
import { type ArgsDef, defineCommand, type SubCommandsDef } from "citty";
import { DfsError } from "../../errors.ts";
import { SERVER_ACTIONS } from "../admin/server.ts";
import { printOwn } from "../../terminal/stdout.ts";
import { USER_ACTIONS } from "../admin/user.ts";

/** A command, as far as the scripts need it. */
interface Completed {
  readonly name: string;
  readonly about: string;
  readonly flags: { readonly long: string; readonly about: string; readonly takesValue: boolean }[];
  /** What kind of arguments it takes, after its action if it has actions. */
  readonly takes: "names" | "servers" | "files";
  /** The words that its first argument may be; none if it is free. */
  readonly actions: readonly string[];
}

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };
const STORED_NAMES = new Set(["get", "list", "stat", "cp", "mv", "rm"]);
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  server: SERVER_ACTIONS,
  user: USER_ACTIONS,
};

/** The command that prints the stored names with this prefix. */
const listNames = (prefix: string): string =>
  `dfs-tool list -q -- ${prefix} 2>/dev/null | sed 's/ [[]incomplete]$//'`;

/** The command that prints the names of the servers. */
const LIST_SERVERS = `dfs-tool server list -q --json 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d'"' -f4`;

/** The command that prints a script which completes these commands. */
export const completionOf = (commands: SubCommandsDef) =>
  defineCommand({
    meta: { description: "Print a script that completes commands in bash, zsh or fish" },
    args: {
      shell: {
        type: "positional",
        required: true,
        description: `One of ${Object.keys(SCRIPTS).join(", ")}`,
      },
    },
    async run({ args }) {
      if (!Object.hasOwn(SCRIPTS, args.shell)) {
        const known = Object.keys(SCRIPTS).join(", ");
        throw new DfsError(
          "usage",
          `there is no completion for ${args.shell}; there is one for ${known}`,
        );
      }
      const script = SCRIPTS[args.shell as keyof typeof SCRIPTS];
      await printOwn(script(await completedOf(commands)));
    },
  });

async function completedOf(commands: SubCommandsDef): Promise<Completed[]> {
  const out: Completed[] = [];
  for (const [name, load] of Object.entries(commands)) {
    const { meta, args } = (await (load as () => unknown)()) as {
      meta: { description: string };
      args: ArgsDef;
    };
    const flags = Object.entries(args)
      .filter(([, { type, description }]) => type !== "positional" && description)
      .map(([flag, def]) => {
        const takesValue = def.type !== "boolean";
        // A flag that is on by default can only be switched off.
        const isOn = def.type === "boolean" && def.default === true;
        const about = (isOn ? def.negativeDescription : def.description) ?? "";
        return { long: isOn ? `no-${flag}` : flag, about, takesValue };
      });
    const others = name === "server" ? "servers" : "files";
    const takes = STORED_NAMES.has(name) ? "names" : others;
    out.push({ name, about: meta.description, flags, takes, actions: ACTIONS[name] ?? [] });
  }
  return out;
}

/** The words by which a user calls the command. */
const wordsFor = ({ name }: Completed): string[] => (name === "list" ? [name, "ls"] : [name]);

const longFlags = ({ flags }: Completed): string => flags.map(({ long }) => `--${long}`).join(" ");

function bashScript(commands: readonly Completed[]): string {
  const cases = commands.map(
    (command) => `    ${wordsFor(command).join("|")}) flags="${longFlags(command)}" ;;`,
  );
  const names = commands.filter(({ takes }) => takes === "names").flatMap(wordsFor);
  const actions = commands.flatMap(({ name, actions: words }) =>
    words.length > 0
      ? [`    ${name}:2) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$word")); return ;;`]
      : [],
  );
  return `# dfs-tool for bash: put this in ~/.bashrc
#   source <(dfs-tool completion bash)
_dfs_tool() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" flags=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")}" -- "$word"))
    return
  fi
  case "$command" in
${cases.join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")); return ;;
  esac
  case "$command:$COMP_CWORD" in
${actions.join("\n")}
    server:3) COMPREPLY=($(compgen -W "$(${LIST_SERVERS})" -- "$word")); return ;;
  esac
  case "$command" in
    ${names.join("|")})
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(${listNames('"$word"')})
      ;;
  esac
}
complete -o default -o filenames -F _dfs_tool dfs-tool dfc`;
}

/** Escapes text for single quotes of zsh, in a place where ":" and "[" have a meaning. */
const zshText = (text: string): string =>
  text.replace(/[\\:[\]]/g, "\\$&").replaceAll("'", "'\\''");

function zshScript(commands: readonly Completed[]): string {
  const about = commands.map(({ name, about: text }) => `    '${name}:${zshText(text)}'`);
  const cases = commands.map((command) => {
    const { flags, takes, actions } = command;
    const first = actions.length > 0 ? [`'1:action:(${actions.join(" ")})'`] : [];
    const rest = `'*:name:${takes === "files" ? "_files" : `_dfs_tool_${takes}`}'`;
    const options = flags.map(
      ({ long, about: text, takesValue }) =>
        `'--${long}${takesValue ? "=" : ""}[${zshText(text)}]${takesValue ? ":value:_files" : ""}'`,
    );
    return `    ${wordsFor(command).join("|")}) _arguments ${[...options, ...first, rest].join(" ")} ;;`;
  });
  return `#compdef dfs-tool dfc
# dfs-tool for zsh: put this in ~/.zshrc, after compinit
#   source <(dfs-tool completion zsh)
_dfs_tool_names() {
  local -a names
  names=(\${(f)"$(${listNames('"$PREFIX"')})"})
  compadd -a names
}
_dfs_tool_servers() {
  local -a names
  names=(\${(f)"$(${LIST_SERVERS})"})
  compadd -a names
}
_dfs_tool() {
  local -a commands
  commands=(
${about.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join("\n")}
  esac
}
compdef _dfs_tool dfs-tool dfc`;
}

/** Escapes text for single quotes of fish. */
const fishText = (text: string): string => text.replace(/[\\']/g, "\\$&");

function fishScript(commands: readonly Completed[]): string {
  const lines = commands.flatMap((command) => {
    const { name, about, flags, takes, actions } = command;
    const seen = `__fish_seen_subcommand_from ${wordsFor(command).join(" ")}`;
    const inCommand = `-n '${seen}'`;
    const acted = `__fish_seen_subcommand_from ${actions.join(" ")}`;
    const list = takes === "names" ? listNames("(commandline -ct)") : LIST_SERVERS;
    return [
      `complete -c dfs-tool -f -n __fish_use_subcommand -a ${name} -d '${fishText(about)}'`,
      ...(actions.length > 0
        ? [`complete -c dfs-tool -f -n '${seen}; and not ${acted}' -a '${actions.join(" ")}'`]
        : []),
      ...(takes === "files"
        ? []
        : [
            `complete -c dfs-tool -f -n '${actions.length > 0 ? `${seen}; and ${acted}` : seen}' -a '(${fishText(list)})'`,
          ]),
      ...flags.map(
        ({ long, about: text, takesValue }) =>
          `complete -c dfs-tool ${inCommand} -l ${long}${takesValue ? " -r" : ""} -d '${fishText(text)}'`,
      ),
    ];
  });
  return `# dfs-tool for fish: put this in ~/.config/fish/config.fish
#   dfs-tool completion fish | source
${lines.join("\n")}
complete -c dfc -w dfs-tool`;
}
