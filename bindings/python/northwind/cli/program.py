# SPDX-License-Identifier: Apache-2.0
"""The parser, and how a command ends: its status, its one sentence, Ctrl-C and a closed pipe."""

from __future__ import annotations

import argparse
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


class Parser(argparse.ArgumentParser):
    """Help by argparse, laid out like a page of a manual; a usage error is one sentence and status 2."""

    def __init__(self, *arguments: typing.Any, **options: typing.Any) -> None:
        options.setdefault("formatter_class", _Formatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(*arguments, **options)

    def error(self, message: str) -> typing.NoReturn:
        sys.stderr.write(f"{self.prog}: {message}; see '{self.prog} --help'\n")
        raise SystemExit(exits.USAGE)


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
        "--free-space-floor", metavar="MIB", type=values.natural, default=none,
        help="refuse to write with less free disk than this (default: 256)",
    )


_DEFAULTS: dict[str, typing.Any] = {
    "store": None, "json": False, "quiet": False, "wait": values.duration("5s"), "free_space_floor": None,
}


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
        page.set_defaults(run=command.run)
    return parser


def _terminate(signum: int, frame: types.FrameType | None) -> None:
    raise exits.Terminated


def _complain(options: argparse.Namespace | None, error: BaseException) -> None:
    sentence = exits.sentence_of(error)
    if options is not None and options.json:
        sys.stderr.write(json.dumps({"error": {"code": exits.code_of(error), "message": values.for_json(sentence)}}) + "\n")
    else:
        sys.stderr.write(f"northwind: {values.shown(sentence)}\n")


def _run(arguments: typing.Sequence[str] | None) -> int:
    options: argparse.Namespace | None = None
    try:
        options = build_parser().parse_args(arguments, argparse.Namespace(**_DEFAULTS))
        status = int(options.run(options, Output(as_json=options.json, quiet=options.quiet)))
        sys.stdout.flush()
        return status
    except SystemExit as end:
        sys.stdout.flush()
        return end.code if isinstance(end.code, int) else exits.OK
    except BrokenPipeError:
        return exits.BROKEN_PIPE
    except KeyboardInterrupt:
        sys.stderr.write("northwind: interrupted; what was committed stays\n")
        return exits.INTERRUPTED
    except exits.Terminated:
        sys.stderr.write("northwind: terminated; what was committed stays\n")
        return exits.TERMINATED
    except Exception as error:
        status_or_none = exits.status_of(error)
        if status_or_none is None:
            traceback.print_exc()
        _complain(options, error)
        return exits.DEFECT if status_or_none is None else status_or_none


def main(arguments: typing.Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status."""
    for name in ("stdout", "stderr"):
        # Somebody closed it.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
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
