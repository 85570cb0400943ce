# SPDX-License-Identifier: Apache-2.0
"""The parser, and how a command ends: its status, its one sentence, Ctrl-C and a closed pipe."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import re
import signal
import sys
import textwrap
import traceback
import types
import typing

import northwind

from . import exits, values
from .commands import COMMANDS
from .terminal import Output

DESCRIPTION = """\
A double-entry payments ledger in a directory. Every command works on one store, which one process has open at a time: beside a running
service, work on a checkpoint that it made."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Paragraphs as wide as the terminal; what is indented or has columns as it is written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.split("\n\n")
        return "\n\n".join(
            paragraph if re.search(r"^ | {2}", paragraph, re.M) else textwrap.fill(" ".join(paragraph.split()), width)
            for paragraph in paragraphs
        )


class Senseless(exits.Complaint):
    """A command line that makes no sense, of a program or of one of its commands."""

    def __init__(self, program: str, sentence: str) -> None:
        super().__init__(exits.USAGE, sentence)
        self.program = program


class Parser(argparse.ArgumentParser):
    """Help by argparse, laid out like a page of a manual; a usage error is one sentence and status 2."""

    def __init__(self, *arguments: typing.Any, **options: typing.Any) -> None:
        options.setdefault("formatter_class", _Formatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(*arguments, **options)

    def error(self, message: str) -> typing.NoReturn:
        raise Senseless(self.prog, f"{message}; see '{self.prog} --help'")

    def parse_known_args(self, args: typing.Any = None, namespace: typing.Any = None) -> tuple[typing.Any, list[str]]:
        # Here and not at the top, so that the sentence names the command.
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest


def _common(parser: argparse.ArgumentParser) -> None:
    # The same before and after the command's name; the one given last decides.
    group = parser.add_argument_group("common options")
    none: typing.Any = argparse.SUPPRESS
    group.add_argument("-s", "--store", metavar="DIR", default=none, help="the store (default: $NORTHWIND_STORE)")
    group.add_argument("--json", action="store_true", default=none, help="JSON: lists one object a line, all else one object")
    group.add_argument("-q", "--quiet", action="store_true", default=none, help="no remarks and no progress")
    group.add_argument(
        "--wait", metavar="TIME", type=values.duration, default=none,
        help="how long to wait for a store that another process has open (default: 5s)",
    )
    group.add_argument(
        "--free-space-floor", metavar="MIB", type=values.whole(0, 2**43), default=none,
        help="refuse to write with less free disk than this (default: 256)",
    )


_DEFAULTS: dict[str, typing.Any] = {
    "store": None, "json": False, "quiet": False, "wait": values.duration("5s"), "free_space_floor": None,
}


# Paths, and names and references of a ledger, may be any bytes; all other text is UTF-8.
_BYTES = (
    "store", "file", "files", "output", "checkpoint", "directory", "mapping", "query", "totals", "values", "account", "accounts", "prefix", "what",
)


def _examples(lines: typing.Sequence[str]) -> str:
    return "examples:\n" + textwrap.indent("\n".join(lines), "  ")


def build_parser() -> Parser:
    statuses = "\n".join(f"  {status:<4} {text}" for status, text in exits.TABLE)
    parser = Parser(prog="northwind", description=DESCRIPTION, epilog=f"exit status:\n{statuses}")
    parser.add_argument("--version", action="version", version=f"northwind {northwind.__version__}")
    _common(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True, parser_class=Parser)
    for command in COMMANDS:
        page = commands.add_parser(
            command.NAME, help=command.HELP, description=f"{command.HELP[0].upper()}{command.HELP[1:]}.\n\n{command.DESCRIPTION}".strip(),
            epilog=_examples(command.EXAMPLES),
        )
        command.arguments(page)
        # Commands of a group (`mirror status`) take the common options after their own name.
        leaves = [page]
        for action in page._actions:
            if isinstance(action, argparse._SubParsersAction):
                leaves = list(action.choices.values())
                for choice in action._choices_actions:
                    leaf = action.choices[choice.dest]
                    leaf.description = f"{choice.help[0].upper()}{choice.help[1:]}." if choice.help else None
                    examples = [line for line in command.EXAMPLES if f"northwind {command.NAME} {choice.dest} " in line]
                    leaf.epilog = _examples(examples) if examples else None
        for leaf in leaves:
            _common(leaf)
            for action in leaf._actions:
                if action.type is None and action.nargs != 0 and action.dest not in _BYTES:
                    action.type = values.text
        page.set_defaults(run=command.run)
    return parser


def _terminate(signum: int, frame: types.FrameType | None) -> None:
    raise exits.Terminated


def _complain(as_json: bool, program: str, code: str, sentence: str) -> None:
    if as_json:
        sys.stderr.write(json.dumps({"error": {"code": code, "message": values.for_json(sentence)}}) + "\n")
    else:
        sys.stderr.write(f"{program}: {values.shown(sentence)}\n")


def _run(arguments: typing.Sequence[str] | None) -> int:
    # What cannot be parsed may have asked for JSON.
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    try:
        options = build_parser().parse_args(arguments, argparse.Namespace(**_DEFAULTS))
        as_json = options.json
        status = int(options.run(options, Output(as_json=options.json, quiet=options.quiet)))
        sys.stdout.flush()
        return status
    except SystemExit as end:
        sys.stdout.flush()
        return end.code if isinstance(end.code, int) else exits.OK
    except BrokenPipeError:
        return exits.BROKEN_PIPE
    except KeyboardInterrupt:
        _complain(as_json, "northwind", "CANCELLED", "interrupted; what was committed stays")
        return exits.INTERRUPTED
    except exits.Terminated:
        _complain(as_json, "northwind", "CANCELLED", "terminated; what was committed stays")
        return exits.TERMINATED
    except Exception as error:
        status_or_none = exits.status_of(error)
        if status_or_none is None:
            traceback.print_exc()
        program = error.program if isinstance(error, Senseless) else "northwind"
        _complain(as_json, program, exits.code_of(error), exits.sentence_of(error))
        return exits.DEFECT if status_or_none is None else status_or_none


def main(arguments: typing.Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # Somebody closed it. The descriptor is taken, so that no file of the store gets its number.
        if getattr(sys, name) is None:
            nothing = open(os.devnull, mode, encoding="utf-8")
            atexit.register(nothing.close)
            setattr(sys, name, nothing)
    for stream in (sys.stdout, sys.stderr):
        # Names of others may be no UTF-8, and a terminal may not know every letter: never a reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        status = _run(arguments)
    finally:
        signal.signal(signal.SIGTERM, before)
    try:
        sys.stdout.flush()
    except OSError as error:
        # What is buffered can go nowhere: the interpreter is not to try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return exits.BROKEN_PIPE
        return status or exits.LATER
    return status
