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


@pytest.mark.parametrize(
    "words",
    [
        "accounts -n {}", f"history {SHOP} -n {{}}", "tail -n {}", "payouts -n {}", "quarantine list -n {}", "deadletters list -n {}", "show x --code {}",
        "show x --code 65536", f"history {SHOP} --code 65536", f"balance {SHOP} --at {{}}", "export --after {}", "settle - --batch {}",
        "plot retries --attempts {}", "plot retries --initial {}d", "accounts --wait {}d", "accounts --free-space-floor {}",
        "deadletters redrive --all --per-second {}", "mirror sync --timeout {}d", "verify --expect {}:" + "0" * 64,
        f"history {SHOP} --from 9999-12-31T23:59:59-14:00", "cutover preview {} --salt x", "cutover raise 10001 --force --yes --actor a --reason r --salt x",
        "cutover lower {} --actor a --reason r --salt x", "cutover advance-epoch {} --actor a --reason r --salt x", "cutover log --after {} --salt x",
        "cutover status --stages {} --salt x", "cutover status --days-between-raises {} --salt x", "compare gate --mapping m --gate-days 366",
        "compare list --mapping m --day 2026-02-30",
    ],
)
def test_numbers_and_times_that_are_too_large_for_anything(words, capsys):
    from northwind.cli import main

    for number in (10**25, "9" * 5000):
        # Before a store is looked for: there is none.
        assert main(words.format(number).split()) == 2
        out, err = capsys.readouterr()
        assert out == "" and "argument" in err and err.endswith("--help'\n") and err.count("\n") == 1


def test_the_sentence_on_a_word_too_many_names_the_command(settled):
    assert settled.complains("cutover", "status", "--fast", status=2).startswith("northwind cutover status: unrecognized arguments: --fast")


def test_text_that_is_no_utf_8(settled):
    for words in ("payouts --merchant {}", "payouts {}", "deadletters list --queue {}", "cutover begin --salt {}", "mirror status --schema {}"):
        assert "'\\xff' is no UTF-8" in settled.complains(*words.format("\udcff").split(), status=2)
    # Names and references of a ledger may be any bytes.
    assert "'\\xff'" in settled.complains("balance", "\udcff", status=3)
    settled.complains("show", "\udcff", status=3)


def test_an_empty_store_is_none_and_not_that_of_the_environment(settled):
    assert "--store is empty" in settled.complains("accounts", "-s", "", status=2)


def test_standard_input_that_is_closed_is_empty_and_no_file_of_the_store(settled):
    settled("cutover", "begin", "--salt", "x")
    for words, printed in (("settle - --json", 0), ("cutover assign --file - --salt x", None)):
        end = subprocess.run(
            ["bash", "-c", 'exec "$@" <&-', "bash", *settled.command, *words.split()], env=settled.environment, cwd=settled.directory, capture_output=True,
            text=True,
        )
        assert (end.returncode, end.stderr) == (0, "")
        assert json.loads(end.stdout)["events"] == 0 if printed == 0 else end.stdout == ""
    end = subprocess.run(
        ["bash", "-c", 'exec "$@" <&-', "bash", *settled.command, *"cutover raise 500 --force --actor a --reason r --salt x".split()],
        env=settled.environment, cwd=settled.directory, capture_output=True, text=True,
    )
    assert end.returncode == 2 and "give --yes" in end.stderr and settled("verify").out


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


def test_a_senseless_command_line_as_json(settled):
    for arguments in (["--json"], ["fly", "--json"], ["--json", "balance"], ["mirror", "--json"], ["cutover", "log", "--fast", "--json"]):
        end = settled(*arguments, status=2)
        assert end.out == "" and json.loads(end.err)["error"]["code"] == "INVALID_ARGUMENT"


@pytest.fixture
def busy(settled):
    """A store with something of everything."""
    (settled.directory / "more.jsonl").write_bytes(lines(EVENTS) + b"no event\n" + lines([{**EVENTS[2], "payment_id": "to come"}]))
    settled("settle", "more.jsonl", status=1)
    mapping = {"row_id": "row", "only_leg": "capture", "id": "ref", "merchant_id": "merchant", "asset": "asset", "amount": "amount", "day": "day"}
    (settled.directory / "batch.json").write_text(json.dumps(mapping))
    (settled.directory / "rows.csv").write_text("row,ref,merchant,asset,amount,day\n1,pay_1,m_42,USD/2,100.01,2024-03-01\n")
    return settled


def test_whatever_is_printed_with_json_is_json(busy, monkeypatch, capsys):
    """Commands one after the other, and how each of them ends."""
    from northwind.cli import main

    run, cutover, who = "--mapping batch.json", "--salt x", "--actor ann --reason test"
    monkeypatch.chdir(busy.directory)
    monkeypatch.setenv("NORTHWIND_STORE", str(busy.store))
    for words, status in (
        ("accounts", 0), (f"balance {SHOP}", 0), (f"history {SHOP}", 0), ("show pay_1", 0), ("payouts", 0), ("payouts po_1", 3), ("tail", 0),
        ("quarantine list", 0), ("quarantine redrive --all", 1), ("quarantine discard --all", 0), ("quarantine redrive --all", 0),
        ("deadletters list", 0), ("deadletters redrive --all", 0), ("deadletters discard --all", 0), ("verify", 0), ("checkpoint backup", 0),
        ("checkpoint backup", 4), ("restore backup -s restored.db", 0), ("export", 0), ("export -o all.jsonl", 0), ("export --format journal -o all.nwj", 0),
        ("import all.jsonl -s lines.db", 0), ("import all.nwj -s copy.db", 0), ("import absent -s copy.db", 3), (f"plot balance {SHOP}", 0),
        ("plot throughput", 0), ("plot retries", 0), ("init", 4), ("init -s new.db", 0), ("settle more.jsonl --each", 1), ("settle more.jsonl -s made.db", 1),
        ("compare mapping batch.json", 0), (f"compare gate {run}", 4), (f"compare ingest nightly rows.csv {run}", 0), (f"compare catch-up {run}", 0),
        (f"compare close 2024-03-01 --actor ann {run}", 1), (f"compare days 2024-03-01 2024-03-02 {run}", 0), (f"compare list {run}", 0),
        (f"compare show capture:pay_1 {run}", 0), (f"compare explain capture:pay_1 {who} {run}", 0), (f"compare resolve capture:pay_1 {who} {run}", 0),
        (f"compare reopen capture:pay_1 {who} {run}", 0), (f"compare digests 2024-03-01 {run}", 0), (f"compare rules {run}", 0), (f"compare gate {run}", 1),
        (f"compare report 2024-03-01 2024-03-02 {run}", 0), (f"compare cursor nightly {run}", 0), (f"compare verify {run}", 0),
        (f"compare report 2024-03-02 2024-03-01 {run}", 2), (f"cutover status {cutover}", 4), (f"cutover begin {cutover}", 0), (f"cutover status {cutover}", 0),
        (f"cutover add-merchants m_42 --actor ann {cutover}", 0), (f"cutover override m_42 deny {who} {cutover}", 0), (f"cutover overrides {cutover}", 0), (f"cutover preview 500 {cutover}", 0),
        (f"cutover raise --yes {who} {run} {cutover}", 1), (f"cutover raise 500 --force --yes {who} {cutover}", 0), (f"cutover log {cutover}", 0),
        (f"cutover assign po_1 m_42 {cutover}", 0), (f"cutover find po_1 {cutover}", 0), (f"cutover finish po_1 {cutover}", 4), (f"cutover peek m_42 {cutover}", 0),
        (f"cutover lower 0 {who} {cutover}", 0), (f"cutover stop-sending {who} {cutover}", 0), (f"cutover residue {cutover}", 2),
        ("mirror status --connection host=/nonexistent", 6), ("doctor", 0),
    ):
        assert main([*words.split(), "--json"]) == status, words
        out, err = capsys.readouterr()
        if "report" in words and out:
            out = json.dumps(json.loads(out))
        for line in (out + err).splitlines():
            assert isinstance(json.loads(line), dict), (words, line)
        assert (status in (0, 1)) == ('"error"' not in err), (words, err)


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
        assert "new store" in json.loads(process.stderr.readline())["note"]
        assert json.loads(process.stdout.readline())["status"] == "applied"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == status and out == "" and json.loads(err)["error"]["message"] == f"{word}; what was committed stays"
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
