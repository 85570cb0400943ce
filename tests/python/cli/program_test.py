# SPDX-License-Identifier: Apache-2.0
"""How the program as a whole behaves: help, errors and their statuses, signals, pipes."""

import argparse
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import time
import types

import northwind
import pytest
from command_line import EVENTS, SHOP, lines
from northwind.cli import exits
from northwind.cli.commands import COMMANDS
from northwind.cli.program import build_parser


def test_help_names_every_command_and_every_status(cli):
    text = cli("--help").out
    assert all(re.search(rf"^    {command.NAME} ", text, re.M) for command in COMMANDS)
    assert all(f"\n  {status:<4} {meaning}" in text for status, meaning in exits.TABLE)
    assert cli("--version").out == f"northwind {northwind.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.NAME)
def test_every_command_has_help_with_examples_that_make_sense(cli, command):
    text = cli(command.NAME, "--help").out
    assert command.EXAMPLES and all(example in text for example in command.EXAMPLES)
    ours = [
        words[1:] for example in command.EXAMPLES for part in re.split(r" (?:\||&&|>) |[()\"]", example)
        if (words := shlex.split(part) if part.count("'") % 2 == 0 else []) and words[0] == "northwind"
    ]
    assert ours
    for words in ours:
        # Hashes are cut short on the page.
        words = [f"1200:{'0' * 64}" if word.startswith("1200:") else word for word in words]
        try:
            build_parser().parse_args(words)
        except SystemExit as end:
            pytest.fail(f"{words}: {end}")


def test_common_options_stand_before_or_after_the_command(settled):
    row = settled("balance", SHOP, "--json").json()
    settled.environment.pop("NORTHWIND_STORE")
    assert settled("--json", "--store", settled.store, "balance", SHOP).json() == row
    assert settled("-s", "absent.db", "balance", SHOP, "--json", "-s", settled.store).json() == row
    assert "Give --store" in settled.complains("balance", SHOP, status=2)


@pytest.mark.parametrize("arguments", [[], ["fly"], ["balance"], ["verify", "--fast"], ["verify", "--js"], ["init", "--wait", "soon"]])
def test_a_command_line_that_makes_no_sense(cli, arguments):
    assert "--help'" in cli.complains(*arguments, status=2)


def test_errors_by_kind(settled):
    settled.complains("balance", SHOP, "-s", "absent.db", status=3)
    (settled.directory / "docs").mkdir()
    assert "no store of northwind" in settled.complains("balance", SHOP, "-s", "docs", status=4)
    assert not list((settled.directory / "docs").iterdir())
    assert "free" in settled.complains("settle", "-", "--free-space-floor", str(1 << 40), status=6, input=lines(EVENTS[:1]) * 2)


def test_errors_as_json(settled):
    end = settled("balance", "nobody", "--json", status=3)
    assert end.out == "" and json.loads(end.err) == {"error": {"code": "NOT_FOUND", "message": "no account named 'nobody'"}}
    end = settled("payouts", "-s", "absent.db", "--json", status=3)
    assert json.loads(end.err)["error"]["code"] == "NOT_FOUND"


def test_a_store_that_is_open_elsewhere(settled):
    with northwind.Ledger(settled.store):
        assert "is open in another process" in settled.complains("accounts", "--wait", "0s", status=4)


def test_a_store_that_is_let_go_while_it_is_waited_for(settled, monkeypatch, capsys):
    from northwind.cli import main, opening

    keeper = settled.start("settle", "-", "--each", "--json", "--batch", "1", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    keeper.stdin.write(lines(EVENTS[:1]).decode())
    keeper.stdin.flush()
    assert json.loads(keeper.stdout.readline())["status"] == "duplicate"
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        keeper.communicate(timeout=60)

    monkeypatch.setattr(opening, "time", types.SimpleNamespace(sleep=pause, monotonic=time.monotonic))
    assert main(["accounts", "-s", str(settled.store), "--json", "--wait", "1h"]) == 0
    assert len(pauses) == 1 and len(capsys.readouterr().out.splitlines()) == 6


def test_an_unforeseen_error_is_a_defect_and_has_its_traceback(monkeypatch, capsys, tmp_path):
    from northwind.cli import main
    from northwind.cli.commands import verify

    def broken(options, output):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(verify, "run", broken)
    assert main(["verify", "-s", str(tmp_path)]) == exits.DEFECT
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (northwind.NotFound("x"), 3), (northwind.AlreadyExists("x"), 4), (northwind.FailedPrecondition("x"), 4),
        (northwind.InvalidArgument("x"), 5), (northwind.OutOfRange("x"), 5), (northwind.ResourceExhausted("x"), 6),
        (northwind.Unavailable("x"), 6), (northwind.DataLoss("x"), 7), (northwind.Indeterminate("x"), 8), (northwind.PermissionDenied("x"), 9),
        (northwind.Unauthenticated("x"), 9), (northwind.Internal("x"), 70), (FileNotFoundError(2, "x"), 3), (PermissionError(13, "x"), 9),
        (OSError(28, "No space left"), 6), (ValueError("x"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_status_of_an_error(error, status):
    assert exits.status_of(error) == status
    assert "\n" not in exits.sentence_of(error)


def test_every_error_of_the_package_has_a_status():
    for name in northwind.errors.__all__:
        kind = getattr(northwind, name)
        made = kind("x", None) if issubclass(kind, northwind.TransactionError) else kind("x")
        assert exits.status_of(made) in dict(exits.TABLE)


@pytest.mark.parametrize(("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_ends_it_and_what_was_settled_stays(cli, number, status, word):
    process = cli.start("settle", "-", "--each", "--json", "--batch", "1", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        process.stdin.write(lines(EVENTS[:1]).decode())
        process.stdin.flush()
        # What is told is durable.
        assert json.loads(process.stdout.readline())["status"] == "applied"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == status and out == "" and err == f"northwind: {word}; what was committed stays\n"
    assert cli("balance", SHOP, "--json").json()["available"] == "9680"
    assert cli("verify", "--json").json()["transactions_applied"] == 1


def test_a_reader_that_goes_away_ends_it_quietly(cli):
    with northwind.Ledger(cli.store) as ledger:
        ledger.open_accounts([northwind.AccountSpec(f"account-{n:06}", "USD/2") for n in range(20_000)])
    for arguments in (["accounts"], ["export"], ["export", "--format", "hledger"]):
        process = cli.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        assert (process.wait(120), err) == (141, "")


def test_output_that_cannot_be_written(settled):
    with open("/dev/full", "wb") as full:
        process = settled.start("accounts", stdout=full, stderr=subprocess.PIPE)
        err = process.communicate(timeout=120)[1]
    assert (process.returncode, err) == (6, "northwind: No space left on device\n")
    closed = subprocess.run(["bash", "-c", 'exec "$@" >&- 2>&-', "bash", *settled.command, "accounts"], env=settled.environment, cwd=settled.directory)
    assert closed.returncode == 0


def on_a_terminal(cli, *arguments):
    """What a terminal is sent, standard output and error together."""
    leader, follower = pty.openpty()
    environment = {name: value for name, value in cli.environment.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [*cli.command, *map(str, arguments)], cwd=cli.directory, env={**environment, "TERM": "xterm"}, stdout=follower, stderr=follower
    )
    os.close(follower)
    text = b""
    try:
        while piece := os.read(leader, 65536):
            text += piece
    except OSError:
        pass  # the end of a terminal
    os.close(leader)
    assert process.wait(120) == 0
    return text.decode()


def test_tables_are_bold_on_a_terminal_only(settled):
    assert "\x1b[1mACCOUNT" in on_a_terminal(settled, "accounts")
    assert "\x1b" not in settled("accounts").out


def test_the_text_of_a_progress_bar():
    from northwind.cli.terminal import Progress

    progress = Progress("verifying", 200, shows=True)
    assert progress.text(50, 200, 10.0) == "verifying  [██████░░░░░░░░░░░░░░░░░░]  25%  5/s  30 s left"
    assert "  2.0 KiB/s  " in Progress("x", 9999, shows=True, in_bytes=True).text(2048, 9999, 1.0)
    assert progress.text(7, None, 2.0) == "verifying  7  4/s"


def test_progress_of_a_verification(cli, monkeypatch, capsys):
    import sys

    from northwind.cli import terminal

    monkeypatch.setattr(terminal, "_BAR_SECONDS", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    cli.settle()
    assert northwind.cli.main(["verify", "-s", str(cli.store)]) == 0
    err = capsys.readouterr().err
    assert "verifying  [" in err and err.endswith("\r\x1b[K")


def test_the_console_script(cli):
    import importlib
    import pathlib

    project = (pathlib.Path(__file__).resolve().parents[3] / "pyproject.toml").read_text()
    module, name = re.search(r'^\[project\.scripts\]\nnorthwind = "([\w.]+):(\w+)"$', project, re.M).groups()
    assert getattr(importlib.import_module(module), name) is northwind.cli.main


def test_no_library_but_pythons_own_is_needed(cli):
    """Whatever stands in the virtual environment."""
    program = "import sys\nfrom northwind.cli import program\nprogram.build_parser()\n" + (
        "print([m for m in sys.modules if m.split('.')[0] in ('numpy', 'pyarrow', 'matplotlib', 'rich', 'click', 'argcomplete')])"
    )
    end = subprocess.run([cli.command[0], "-c", program], capture_output=True, text=True, env=cli.environment, check=True)
    assert end.stdout == "[]\n"


def test_namespaces_have_no_option_twice():
    """An option of a command that hides a common one would be taken for it."""

    def check(parser):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for child in action.choices.values():
                    check(child)
        destinations = [action.dest for action in parser._actions if action.option_strings]
        assert len(destinations) == len(set(destinations)), parser.prog

    check(build_parser())
