# SPDX-License-Identifier: Apache-2.0
"""northwind export"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import typing

import northwind

from .. import exits
from ..arrival import replacing
from ..opening import ledger
from ..plain_text import PlainText
from ..records import Names, record_json
from ..tables import Csv, Parquet, rows
from ..terminal import Output, Progress
from ..values import natural

NAME = "export"
HELP = "write the journal as JSON lines, CSV, Parquet, plain-text accounting, or as a copy"
DESCRIPTION = """\
A file appears at -o whole, or not at all.

  jsonl    every record, one JSON object a line; 'northwind import' reads it
  csv      a row for each posting; a rejected transaction has one without amounts
  parquet  the same; needs pyarrow and -o
  ledger   what ledger and hledger read; hledger is another word for it
  journal  an exact copy with keys, sequences, times and hashes, for
           'northwind import'; needs -o

In ledger and hledger a balance is what is posted here: holds, releases, expiries and rejected transactions are left out. Debits are positive, so
that what is owed to a merchant is negative."""
EXAMPLES = (
    "northwind export -s ledger.db --format hledger -o books.journal && hledger -f books.journal balance",
    "northwind export -s ledger.db --format csv > postings.csv",
    "northwind export -s ledger.db --format parquet -o postings.parquet",
    "northwind export -s ledger.db --format journal -o copy.nwj",
)
_FORMATS = ("jsonl", "csv", "parquet", "ledger", "hledger", "journal")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=_FORMATS, default="jsonl", help="default: jsonl")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    parser.add_argument("--after", metavar="N", type=natural, default=0, help="only records after sequence N")
    books = parser.add_argument_group("for ledger and hledger")
    books.add_argument("--date", choices=("recorded", "effective"), default="recorded", help="which date (UTC; default: recorded)")
    books.add_argument("--positive", choices=("debits", "credits"), default="debits", help="what is positive (default: debits)")
    books.add_argument("--assertions", action="store_true", help="assert all balances at the end: ledger and hledger check them")


def _records(opened: northwind.Ledger, after: int, progress: Progress) -> typing.Iterator[typing.Any]:
    last = opened.head.sequence
    for record in opened.journal(after):
        progress.at(record.sequence - after, last - after)
        yield record


def _write_text(opened: northwind.Ledger, options: argparse.Namespace, file: typing.TextIO, progress: Progress) -> int:
    """Returns how many records, rows or transactions were written."""
    records = _records(opened, options.after, progress)
    count = 0
    if options.format in ("ledger", "hledger"):
        books = PlainText(opened, effective=options.date == "effective", credits_positive=options.positive == "credits")
        file.writelines(line + "\n" for line in books.head(options.after))
        for record in records:
            file.writelines(line + "\n" for line in books.record(record))
        if options.assertions:
            file.writelines(line + "\n" for line in books.assertions())
        return books.transactions
    names = Names(opened)
    if options.format == "csv":
        table = Csv(file)
        for record in records:
            for row in rows(record, names):
                table.write(row)
                count += 1
        return count
    for record in records:
        file.write(json.dumps(record_json(record, names)) + "\n")
        count += 1
    return count


def _write_file(opened: northwind.Ledger, options: argparse.Namespace, path: str, progress: Progress) -> int:
    if options.format == "journal":
        return opened.export_journal(path).sequence
    if options.format == "parquet":
        names, count = Names(opened), 0
        with contextlib.closing(Parquet(path)) as table:
            for record in _records(opened, options.after, progress):
                for row in rows(record, names):
                    table.write(row)
                    count += 1
        return count
    with open(path, "w", encoding="utf-8", newline="") as file:
        return _write_text(opened, options, file, progress)


def run(options: argparse.Namespace, output: Output) -> int:
    if options.output is None and options.format in ("parquet", "journal"):
        raise exits.Complaint(exits.USAGE, f"{options.format} needs a file: -o FILE")
    if options.after and (options.assertions or options.format == "journal"):
        raise exits.Complaint(exits.USAGE, "--after goes neither with --assertions nor with a copy of the journal")
    if options.format == "parquet":
        exits.need("pyarrow", "Parquet")
    with ledger(options) as opened, output.progress("exporting") as progress:
        if options.after > opened.head.sequence:
            raise exits.Complaint(exits.BAD_INPUT, f"the journal ends with record {opened.head.sequence}")
        if options.output is None:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8", newline="")
            _write_text(opened, options, sys.stdout, progress)
            return exits.OK
        with replacing(options.output) as partial:
            count = _write_file(opened, options, partial, progress)
        row = {
            "file": os.path.abspath(options.output), "format": options.format, "written": count, "bytes": os.path.getsize(options.output),
            "head": {"sequence": opened.head.sequence, "hash": opened.head.hash.hex()},
        }
    head = row["head"]
    output.facts(row, [("file", options.output), ("written", f"{count:,}"), ("head", f"{head['sequence']}:{head['hash']}")])
    return exits.OK
