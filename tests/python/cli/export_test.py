# SPDX-License-Identifier: Apache-2.0
"""northwind export: JSON lines, CSV, Parquet, a copy. Plain-text accounting is in books_test.py."""

import collections
import csv
import decimal
import io
import json
import os
import shlex
import signal
import subprocess
import sys

import northwind
import pytest
from command_line import SHOP


def moved(rows, kinds=("post", "capture", "reverse")):
    """Posted balances by account, as a reader of the rows adds them up."""
    balances = collections.Counter()
    for row in rows:
        if row["kind"] in kinds and row["debit"]:
            balances[row["debit"]] -= int(row["units"])
            balances[row["credit"]] += int(row["units"])
    return {name: units for name, units in balances.items() if units}


def posted(cli):
    return {row["name"]: int(row["posted"]) for row in cli("accounts", "--json").rows() if int(row["posted"])}


@pytest.fixture
def odd(settled):
    """Records of all kinds, and references that are hard to write."""
    with northwind.Ledger(settled.store) as ledger:
        card, shop = ledger.open_account("card", "USD/2", external=True), ledger.open_account("shop", "USD/2", min_available=-5)
        hold = northwind.TransactionKind.HOLD
        references = ['a,"b"\r\nc;d|e%f  ', b"\xff\xfe", "=1+1", "é日本", ""]
        ledger.commit([
            northwind.Transaction(bytes([n] * 16), [(card, shop, n + 1)], code=n, reference=reference, metadata=b"\xff" if n else b"note")
            for n, reference in enumerate(references)
        ])
        ledger.commit([northwind.Transaction(bytes([20] * 16), [(shop, card, 999)], reference="too much")])
        ledger.commit([northwind.Transaction(bytes([21] * 16), [(card, shop, 40)], kind=hold, reference="h")])
        ledger.commit([northwind.Transaction(
            bytes([22] * 16), kind=northwind.TransactionKind.CAPTURE, target=bytes([21] * 16), amount=30, final_capture=True
        )])
        ledger.commit([northwind.Transaction(bytes([23] * 16), [(card, shop, 8)], kind=hold, expires_at=10**9)])
        ledger.commit([northwind.Transaction(bytes([24] * 16), [(card, shop, 8)], kind=hold)])
        ledger.commit([northwind.Transaction(bytes([25] * 16), kind=northwind.TransactionKind.RELEASE, target=bytes([24] * 16))])
        ledger.freeze(shop)
        ledger.unfreeze(shop)
    return settled


def test_json_lines_have_every_record(odd):
    rows = odd("export").rows()
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["record"] for row in rows} == {"account_opened", "account_changed", "transaction", "hold_expired"}
    flat = [{"kind": row["kind"], **posting} for row in rows if row["record"] == "transaction" for posting in row.get("moved", ())]
    assert moved(flat) == posted(odd)
    [rejected] = [row for row in rows if row.get("outcome") == "rejected"]
    assert rejected["reason"] == "insufficient_funds" and "moved" not in rejected
    assert odd("export", "--after", 5).rows() == rows[5:]
    odd("export", "-o", "all.jsonl")
    assert [json.loads(line) for line in (odd.directory / "all.jsonl").read_text().splitlines()] == rows


def test_csv_adds_up_to_the_balances(odd):
    text = odd("export", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert moved(rows) == posted(odd)
    assert all(decimal.Decimal(row["amount"]).scaleb(int(row["asset"][-1])) == int(row["units"]) for row in rows if row["units"])
    by_kind = collections.Counter(row["kind"] for row in rows)
    assert by_kind["release"] == by_kind["expiry"] == by_kind["capture"] == 1
    [capture] = [row for row in rows if row["kind"] == "capture"]
    assert (capture["units"], capture["released"]) == ("30", "10")
    [rejected] = [row for row in rows if row["outcome"] == "rejected"]
    assert rejected["units"] == rejected["debit"] == ""
    assert {'a,"b"\r\nc;d|e%f  ', "\\xff\\xfe", "é日本"} <= {row["reference"] for row in rows}


def test_parquet_has_the_rows_of_csv(odd):
    parquet = pytest.importorskip("pyarrow.parquet")
    odd("export", "--format", "parquet", "-o", "postings.parquet")
    table = parquet.read_table(odd.directory / "postings.parquet")
    rows = table.drop_columns(["recorded_at", "effective_at"]).to_pylist()
    assert moved(rows) == posted(odd)
    text = list(csv.DictReader(io.StringIO(odd("export", "--format", "csv").out, newline="")))
    shown = [
        {name: "" if row[name] is None else str(row[name]) for name in row} for row in rows
    ]
    assert shown == [{name: row[name] for name in shown[0]} for row in text]
    assert str(table.schema.field("recorded_at").type) == "timestamp[ns, tz=UTC]"
    nanoseconds = table["recorded_at"].cast("int64").to_pylist()
    with northwind.Ledger(odd.store) as ledger:
        assert nanoseconds[0] == next(r for r in ledger.journal() if isinstance(r, northwind.TransactionRecorded)).recorded_at_ns


def test_more_digits_than_parquet_has(cli):
    pytest.importorskip("pyarrow")
    with northwind.Ledger(cli.store) as ledger:
        card, shop = ledger.open_account("card", "X/18", external=True), ledger.open_account("shop", "X/18")
        ledger.commit(northwind.Transaction(bytes(16), [(card, shop, northwind.MAX_AMOUNT)]))
    assert "38 digits" in cli.complains("export", "--format", "parquet", "-o", "x.parquet", status=5)
    assert not list(cli.directory.glob("x.parquet*"))
    assert str(northwind.MAX_AMOUNT) in cli("export", "--format", "csv").out


def test_a_copy_of_the_journal(settled):
    end = settled("export", "--format", "journal", "-o", "copy.nwj", "--json").json()
    assert end["head"] == settled("verify", "--json").json()["head"]
    assert settled("import", "copy.nwj", "-s", "copy.db", "--json").json()["head"] == end["head"]
    assert settled("balance", SHOP, "-s", "copy.db", "--json").json()["posted"] == "7680"


def test_a_file_is_replaced_whole_or_not_at_all(settled):
    target = settled.directory / "out.csv"
    target.write_text("precious")
    assert "ends with record" in settled.complains("export", "--after", "999", "-o", "out.csv", status=5)
    assert target.read_text() == "precious"
    settled.complains("export", "-o", "absent/out.csv", status=3)
    settled("export", "--format", "csv", "-o", "out.csv")
    assert target.read_text().startswith("sequence,")
    assert [path.name for path in settled.directory.glob("out.csv*")] == ["out.csv"]


KILLED = """
import os, signal, sys
from northwind.cli import main
from northwind.cli.commands import export

def half(opened, options, file, progress):
    file.write("half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

export._write_text = half
main(sys.argv[1:])
"""


def killed(cli, name):
    """An export that is killed in its middle; what it leaves."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, "export", "-o", name], cwd=cli.directory, env=cli.environment)
    assert process.wait(60) == -signal.SIGKILL
    left = cli.directory / f"{name}.partial-{process.pid}"
    assert left.read_text() == "half of it"
    return left


def test_what_a_kill_has_left_goes_away_with_the_next_export(settled):
    left, beside = [killed(settled, "out.csv") for _ in range(2)], killed(settled, "out")
    dead = left[0].name.rpartition("-")[2]
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as alive:
        kept = [
            settled.directory / name for name in (
                f"out.csv.partial-{alive.pid}", f"out.csv.partial-{dead}.bak", f"out.csv.partial-0{dead}", "out.csv.partial-", "out.csv.partial-x",
                f"xout.csv.partial-{dead}", f"outxcsv.partial-{dead}",
            )
        ]
        for path in kept:
            path.touch()
        # Neither a directory nor a link is what an export leaves.
        (settled.directory / f"out.csv.partial-{2**22 + 1}").mkdir()
        (settled.directory / f"out.csv.partial-{2**22 + 2}").symlink_to("precious")
        settled("export", "--format", "csv", "-o", "out.csv")
        assert not any(path.exists() for path in left) and all(path.exists() for path in (*kept, beside))
        assert len(list(settled.directory.glob("out.csv.partial-*"))) == len(kept) - 2 + 2
        # An export that says no leaves all as it is.
        settled.complains("export", "--after", "999", "-o", "out", status=5)
        assert beside.exists()
        alive.stdin.close()


def test_a_process_that_ended_and_nobody_asked_how_does_not_run(settled):
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    left = settled.directory / f"out.csv.partial-{process.pid}"
    left.touch()
    settled("export", "-o", "out.csv")
    assert not left.exists()
    process.wait()


@pytest.mark.parametrize("format_", ["csv", "journal"])
def test_a_left_over_with_the_number_of_this_process(settled, format_):
    """In a container numbers begin anew each time."""
    command = shlex.join([*settled.command, "export", "--format", format_, "-o", "out.nwj"])
    end = subprocess.run(
        ["bash", "-c", f"touch out.nwj.partial-$$; exec {command}"], cwd=settled.directory, env=settled.environment, capture_output=True, text=True
    )
    assert (end.returncode, end.stderr) == (0, "")
    assert [path.name for path in settled.directory.glob("out.nwj*")] == ["out.nwj"]


def test_what_makes_no_sense(settled):
    assert "needs a file" in settled.complains("export", "--format", "journal", status=2)
    assert "invalid choice" in settled.complains("export", "--format", "xml", status=2)
    assert "--after goes neither" in settled.complains("export", "--format", "ledger", "--assertions", "--after", "1", status=2)
