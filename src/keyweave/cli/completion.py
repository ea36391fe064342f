"""`keyweave completion`: scripts for bash, zsh and fish, written from the parsers themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyweave.cli.parser import Parser

if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "fish")
_HOW = """\
put this into your shell's start-up file:
  bash, zsh   eval "$(keyweave completion bash)"   (or zsh)
  fish        keyweave completion fish | source"""


def build(name: str) -> Parser:
    """Make the parser."""
    parser = Parser(name, "Print the completion script of a shell.", usage="{bash,zsh,fish}", epilog=_HOW)
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from keyweave.cli.main import COMMANDS  # noqa: PLC0415 - main imports this module by name

    parsers = {command.name: command.build() for command in COMMANDS.values()}
    print(_fish(parsers) if args.shell == "fish" else _bash(parsers, zsh=args.shell == "zsh"))
    return 0


def _bash(parsers: dict[str, Parser], *, zsh: bool) -> str:
    cases = "\n".join(f'    {name}) words="{" ".join(parser.flags())}" ;;' for name, parser in parsers.items())
    choices = "\n".join(
        f'    "{name} {flag}") COMPREPLY=($(compgen -W "{" ".join(values)}" -- "$now")); return ;;'
        for name, parser in parsers.items()
        for flag, values in parser.choices().items()
    )
    prelude = "autoload -U +X bashcompinit && bashcompinit\n" if zsh else ""
    return f"""{prelude}_keyweave() {{
  local now="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{" ".join(parsers)} --help --version" -- "$now")); return
  fi
  case "${{COMP_WORDS[1]}} $before" in
{choices}
  esac
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  case "$now" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$now")) ;;
    *) COMPREPLY=($(compgen -f -- "$now")) ;;
  esac
}}
complete -o filenames -F _keyweave keyweave"""


def _fish(parsers: dict[str, Parser]) -> str:
    lines = [f'complete -c keyweave -n __fish_use_subcommand -f -a "{" ".join(parsers)}"']
    for name, parser in parsers.items():
        for flag in parser.flags():
            if not flag.startswith("--"):
                continue
            values = parser.choices().get(flag, ())
            tail = f' -x -a "{" ".join(values)}"' if values else ""
            lines.append(f'complete -c keyweave -n "__fish_seen_subcommand_from {name}" -l {flag[2:]}{tail}')
    return "\n".join(lines)
