/** dfs-tool completion: a script for bash, zsh or fish, made from the commands' own definitions. */
import { type ArgsDef, defineCommand } from "citty";
import { DfsError } from "../errors.ts";
import { COMMANDS } from "./commands.ts";
import { printOwn } from "./stdout.ts";

/** A command as the shells need it. */
interface Completed {
  readonly name: string;
  readonly about: string;
  readonly flags: { readonly long: string; readonly about: string; readonly takesValue: boolean }[];
  /** Are its arguments names in the store (else files of this machine)? */
  readonly takesNames: boolean;
}

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };
const STORED_NAMES = new Set(["get", "list", "stat"]);

/** The command that prints the stored names that begin so. */
const listNames = (prefix: string): string =>
  `dfs-tool list -q -- ${prefix} 2>/dev/null | sed 's/ [[]incomplete]$//'`;

export const completionCommand = defineCommand({
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
    await printOwn(script(await completedCommands()));
  },
});

async function completedCommands(): Promise<Completed[]> {
  const out: Completed[] = [];
  for (const [name, load] of Object.entries(COMMANDS)) {
    const { meta, args } = (await load()) as { meta: { description: string }; args: ArgsDef };
    const flags = Object.entries(args)
      .filter(([, { type }]) => type !== "positional")
      .map(([flag, def]) => {
        const takesValue = def.type !== "boolean";
        // What is on by default can only be switched off.
        const isOn = def.type === "boolean" && def.default === true;
        const about = (isOn ? def.negativeDescription : def.description) ?? "";
        return { long: isOn ? `no-${flag}` : flag, about, takesValue };
      });
    out.push({ name, about: meta.description, flags, takesNames: STORED_NAMES.has(name) });
  }
  return out;
}

const longFlags = ({ flags }: Completed): string => flags.map(({ long }) => `--${long}`).join(" ");

function bashScript(commands: readonly Completed[]): string {
  const cases = commands.map((command) => `    ${command.name}) flags="${longFlags(command)}" ;;`);
  const names = commands.filter(({ takesNames }) => takesNames).map(({ name }) => name);
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
  case "$command" in
    ${names.join("|")})
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(${listNames('"$word"')})
      ;;
  esac
}
complete -o default -o filenames -F _dfs_tool dfs-tool dfc`;
}

/** Text inside single quotes of zsh, in a place where ":" and "[" mean something. */
const zshText = (text: string): string =>
  text.replace(/[\\:[\]]/g, "\\$&").replaceAll("'", "'\\''");

function zshScript(commands: readonly Completed[]): string {
  const about = commands.map(({ name, about: text }) => `    '${name}:${zshText(text)}'`);
  const cases = commands.map(({ name, flags, takesNames }) => {
    const options = flags.map(
      ({ long, about: text, takesValue }) =>
        `'--${long}${takesValue ? "=" : ""}[${zshText(text)}]${takesValue ? ":value:_files" : ""}'`,
    );
    return `    ${name}) _arguments ${[...options, `'*:name:${takesNames ? "_dfs_tool_names" : "_files"}'`].join(" ")} ;;`;
  });
  return `#compdef dfs-tool dfc
# dfs-tool for zsh: put this in ~/.zshrc, after compinit
#   source <(dfs-tool completion zsh)
_dfs_tool_names() {
  local -a names
  names=(\${(f)"$(${listNames('"$PREFIX"')})"})
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

/** Text inside single quotes of fish. */
const fishText = (text: string): string => text.replace(/[\\']/g, "\\$&");

function fishScript(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, about, flags, takesNames }) => {
    const inCommand = `-n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c dfs-tool -f -n __fish_use_subcommand -a ${name} -d '${fishText(about)}'`,
      ...(takesNames
        ? [
            `complete -c dfs-tool -f ${inCommand} -a '(${fishText(listNames("(commandline -ct)"))})'`,
          ]
        : []),
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
