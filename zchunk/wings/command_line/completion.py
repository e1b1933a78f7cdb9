"""`zchunk completion`: scripts for shells, made of the parsers, so that they have what the commands have."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from zchunk.wings.command_line import output
from zchunk.wings.command_line.arguments import Parser
from zchunk.wings.command_line.commands import TABLE, Command, parser_of


class Option(NamedTuple):
    """An option of a command, by all its names.

    Parameters
    ----------
    names : tuple of str
        Such as ``-j`` and ``--jobs``.
    takes : bool
        Whether a value follows.
    choices : tuple of str
        What the value may be, if that is known.
    text : str
        What it does.
    """

    names: tuple[str, ...]
    takes: bool
    choices: tuple[str, ...]
    text: str


def options_of(name: str) -> list[Option]:
    """Return the options of a command.

    Examples
    --------
    >>> [option.names[-1] for option in options_of("versions")]
    ['--help', '--json']
    """
    return [
        Option(
            tuple(action.option_strings),
            action.nargs != 0,
            tuple(map(str, action.choices or ())),
            (action.help or "").partition(";")[0],
        )
        for action in parser_of(name)._actions
        if action.option_strings
    ]


def _arguments(parser: Parser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh"), help="which shell")


def _run(args: argparse.Namespace) -> int:
    output.say({"bash": bash, "zsh": zsh}[args.shell]())
    return 0


def bash() -> str:
    """Return the script for bash."""
    cases, values = [], {}
    for name in TABLE:
        options = options_of(name)
        if name == "completion":
            # Its argument is a word, not a path.
            cases.append('        completion) words="bash zsh"; current_is=value ;;')
            continue
        cases.append(f'        {name}) words="{" ".join(n for o in options for n in o.names)}" ;;')
        values.update({f"{name}:{n}": o.choices for o in options for n in o.names if o.choices})
    choices = [f'        {key}) words="{" ".join(v)}"; current_is=value ;;' for key, v in values.items()]
    return "\n".join(
        [
            "# Completion of zchunk for bash: eval \"$(zchunk completion bash)\"",
            "_zchunk() {",
            "    local current=${COMP_WORDS[COMP_CWORD]} words='' current_is=path",
            f'    local commands="{" ".join(TABLE)}"',
            "    COMPREPLY=()",
            '    if [ "$COMP_CWORD" -eq 1 ]; then',
            '        COMPREPLY=($(compgen -W "$commands --help --version" -- "$current"))',
            "        return",
            "    fi",
            '    case "${COMP_WORDS[1]}" in',
            *cases,
            "    esac",
            '    [[ $current == -* ]] && current_is=option',
            '    case "${COMP_WORDS[1]}:${COMP_WORDS[COMP_CWORD-1]}" in',
            *choices,
            "    esac",
            '    if [ "$current_is" != path ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); fi',
            "}",
            "complete -o default -F _zchunk zchunk",
        ]
    )


def zsh() -> str:
    """Return the script for zsh."""
    cases = []
    for name in TABLE:
        specs = [_spec(option, n) for option in options_of(name) for n in option.names]
        rest = "'1:shell:(bash zsh)'" if name == "completion" else "'*:path:_files'"
        cases.append(f"        {name}) _arguments {' '.join(map(_quoted, specs))} {rest} ;;")
    commands = " ".join(_quoted(f"{name}:{summary}") for name, (_, summary) in TABLE.items())
    return "\n".join(
        [
            "#compdef zchunk",
            "# Completion of zchunk for zsh: eval \"$(zchunk completion zsh)\", after compinit",
            "_zchunk() {",
            f"    local -a commands=({commands})",
            "    if (( CURRENT == 2 )); then",
            "        _describe command commands",
            "        return",
            "    fi",
            "    local command=$words[2]",
            "    shift words; (( CURRENT-- ))",
            "    case $command in",
            *cases,
            "    esac",
            "}",
            # Of a file in fpath this is the body of the function itself, called by the first completion.
            'if [[ $funcstack[1] == _zchunk ]]; then _zchunk "$@"; else compdef _zchunk zchunk; fi',
        ]
    )


def _spec(option: Option, name: str) -> str:
    positive = f"--{name[5:]}"
    text = f"the opposite of {positive}" if positive in option.names else option.text
    # Brackets and colons end a description, unless a backslash is before them.
    text = text.replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    value = f":value:({' '.join(option.choices)})" if option.choices else ":value:" if option.takes else ""
    return f"{name}[{text}]{value}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


COMMANDS = {
    "completion": Command(
        _arguments,
        _run,
        """
eval "$(zchunk completion bash)"
mkdir -p ~/.zfunc && zchunk completion zsh > ~/.zfunc/_zchunk
""",
    )
}
