# SPDX-License-Identifier: Apache-2.0
"""northwind import"""

from __future__ import annotations

import argparse
import json
import os
import typing

import northwind

from .. import exits
from ..arrival import appearing
from ..lines import Lines
from ..opening import ledger, store_path
from ..terminal import Column, Output, Row
from ..values import for_json, moment

NAME = "import"
HELP = "make a store of an exported journal, or commit transactions from JSON lines"
DESCRIPTION = """\
A file that 'export --format journal' wrote becomes a new store, the same to the last byte of its hashes: it must not exist, and appears whole
or not at all.

JSON lines are committed to a store, which is made if it does not exist:
  {"record":"account_opened","account":"world:card","asset":"USD/2","external":true}
  {"record":"transaction","key":"…","postings":[{"debit":"world:card","credit":"shop","units":"10000"}],"reference":"pay_1"}
with the names that 'export' has for what is optional. Sequences, times and outcomes of an export are not taken over (its rejected transactions
are left out), and expiries of holds, which no file can bring about, are refused. Each transaction is applied once, however often the file is
imported. Status 1 if one is not applied; what came after it in its batch was tried."""
EXAMPLES = ("northwind import copy.nwj -s copy.db", "northwind import transactions.jsonl -s ledger.db")
_MAGIC = b"northwind/export/"
# Of up to 256 postings and 4 KiB of metadata each: below what a batch may have.
_BATCH = 500
_LONGEST_LINE = 1 << 20


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a journal or JSON lines; - is JSON lines on standard input")


class _Line:
    """One line of the file; what it says is complained of with its number."""

    def __init__(self, number: int, text: bytes) -> None:
        self.number = number
        try:
            fields = json.loads(text, parse_float=self._no_float)
        except ValueError as error:
            raise self.wrong(f"no JSON: {error}") from None
        if not isinstance(fields, dict):
            raise self.wrong("no JSON object")
        self.fields: Row = fields

    def _no_float(self, text: str) -> typing.NoReturn:
        raise self.wrong(f"{text} is no whole number: amounts are minor units")

    def wrong(self, what: str) -> exits.Complaint:
        return exits.Complaint(exits.BAD_INPUT, f"line {self.number}: {what}")

    def text(self, name: str, default: str | None = None, of: Row | None = None) -> str:
        value = (self.fields if of is None else of).get(name, default)
        if not isinstance(value, str):
            raise self.wrong(f"{name} is missing, or no text")
        return value

    def data(self, name: str, of: Row | None = None) -> bytes:
        """Text, or bytes that are none as hexadecimal under another name."""
        if f"{name}_hex" not in (self.fields if of is None else of):
            return self.text(name, "", of).encode("utf-8", "surrogatepass")
        try:
            return bytes.fromhex(self.text(f"{name}_hex", of=of))
        except ValueError:
            raise self.wrong(f"{name}_hex is not hexadecimal") from None

    def integer(self, name: str, default: int | None = None, of: Row | None = None) -> int:
        value = (self.fields if of is None else of).get(name, default)
        if isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(f"{name} is missing, or no whole number")
        return value

    def flag(self, name: str) -> bool:
        value = self.fields.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{name} is neither true nor false")
        return value

    def time(self, name: str) -> int | None:
        """In nanoseconds: a datetime has no more than microseconds."""
        if name not in self.fields:
            return None
        text = self.text(name)
        try:
            at = moment(text)
        except argparse.ArgumentTypeError as error:
            raise self.wrong(f"{name}: {error}") from None
        whole = int(at.replace(microsecond=0).timestamp())
        digits = text.split(".")[1].rstrip("Zz") if "." in text else ""
        if digits and not (digits.isdigit() and len(digits) <= 9):
            raise self.wrong(f"{name}: '{text}' is not in UTC with at most 9 digits after the second")
        return whole * 1_000_000_000 + int(digits.ljust(9, "0") or 0)


_ACCOUNT_FIELDS = {"record", "sequence", "recorded_at", "account", "asset", "external", "min_available"}
_CHANGE_FIELDS = {"record", "sequence", "recorded_at", "account", "state", "min_available"}
_TRANSACTION_FIELDS = {
    "record", "sequence", "recorded_at", "outcome", "reason", "key", "kind", "postings", "target", "amount", "final_capture", "code",
    "reference", "reference_hex", "unique_reference", "effective_at", "expires_at", "metadata", "metadata_hex", "target_sequence", "moved", "released",
}


class _Importer:
    """Commits what lines say, transactions in batches, everything in the order of the lines."""

    def __init__(self, opened: northwind.Ledger) -> None:
        self._ledger = opened
        self._accounts: dict[str, northwind.Account] = {}
        self._waiting: list[tuple[int, northwind.Transaction]] = []
        self.opened = self.applied = self.duplicates = self.left_out = 0
        self.refused: list[Row] = []

    def take(self, line: _Line) -> None:
        kind = line.text("record")
        if kind == "transaction":
            self._known(line, _TRANSACTION_FIELDS)
            if line.text("outcome", "applied") != "applied":
                self.left_out += 1
                return
            self._waiting.append((line.number, self._transaction(line)))
            if len(self._waiting) >= _BATCH:
                self.commit()
            return
        self.commit()
        if kind == "account_opened":
            self._known(line, _ACCOUNT_FIELDS)
            self._ledger.open_account(
                line.text("account"), line.text("asset"), external=line.flag("external"), min_available=line.integer("min_available", 0)
            )
            self.opened += 1
        elif kind == "account_changed":
            self._known(line, _CHANGE_FIELDS)
            self._change(line)
        elif kind == "hold_expired":
            raise line.wrong("a hold expires by its own time, not by a file; 'export --format journal' makes an exact copy")
        else:
            raise line.wrong(f"'{kind}' is no record that can be imported")

    def _known(self, line: _Line, names: set[str]) -> None:
        unknown = sorted(set(line.fields) - names)
        if unknown:
            raise line.wrong(f"{unknown[0]} is unknown")

    def _account(self, line: _Line, name: str) -> northwind.Account:
        known = self._accounts.get(name)
        if known is None:
            try:
                known = self._accounts[name] = self._ledger.account(name)
            except northwind.NotFound:
                raise line.wrong(f"there is no account {name}") from None
        return known

    def _change(self, line: _Line) -> None:
        account = self._account(line, line.text("account"))
        state = line.text("state")
        if not account.external and state != "closed" and "min_available" in line.fields:
            self._ledger.set_min_available(account, line.integer("min_available"))
        changes = {"open": self._ledger.unfreeze, "frozen": self._ledger.freeze, "closed": self._ledger.close_account}
        if state not in changes:
            raise line.wrong(f"'{state}' is no state of an account")
        changes[state](account)

    def _postings(self, line: _Line) -> typing.Iterator[northwind.Posting]:
        postings = line.fields.get("postings", [])
        if not isinstance(postings, list) or not all(isinstance(posting, dict) for posting in postings):
            raise line.wrong("postings are no list of objects")
        for posting in postings:
            debit = self._account(line, line.text("debit", of=posting))
            if posting.get("asset", debit.asset) != debit.asset:
                raise line.wrong(f"{debit.name} holds {debit.asset}, not {posting['asset']}")
            credit = self._account(line, line.text("credit", of=posting))
            yield northwind.Posting(debit, credit, line.integer("units", of=posting))

    def _target(self, line: _Line) -> northwind.Target | None:
        target = line.fields.get("target")
        if target is None:
            return None
        if not isinstance(target, dict):
            raise line.wrong("target is no object")
        if "key" in target:
            return northwind.Target(key=line.text("key", of=target))
        return northwind.Target(code=line.integer("code", 0, of=target), reference=line.data("reference", of=target))

    def _transaction(self, line: _Line) -> northwind.Transaction:
        kind = line.text("kind", "post").upper()
        if kind not in northwind.TransactionKind.__members__:
            raise line.wrong(f"'{kind.lower()}' is no kind of transaction")
        try:
            return northwind.Transaction(
                line.text("key"), list(self._postings(line)), kind=northwind.TransactionKind[kind], target=self._target(line),
                amount=line.integer("amount", 0), final_capture=line.flag("final_capture"), code=line.integer("code", 0),
                reference=line.data("reference"), unique_reference=line.flag("unique_reference"), effective_at=line.time("effective_at"),
                expires_at=line.time("expires_at"), metadata=line.data("metadata"),
            )
        except ValueError as error:
            raise line.wrong(str(error)) from None

    def commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        results = self._ledger.commit([transaction for _, transaction in waiting])
        for (number, transaction), result in zip(waiting, results):
            if result.outcome is northwind.Outcome.APPLIED:
                self.applied += 1
            elif result.applied:
                self.duplicates += 1
            else:
                row = {"line": number, "key": transaction.key.hex(), "reference": for_json(transaction.reference)}
                # Of one that was refused before, what it came to then.
                outcome = result.original if result.outcome is northwind.Outcome.DUPLICATE else result.outcome
                why = result.conflict if result.outcome is northwind.Outcome.CONFLICT else result.reason
                self.refused.append({**row, "outcome": str(outcome), "why": str(why)})


def _import_journal(options: argparse.Namespace, output: Output) -> int:
    target = os.path.abspath(store_path(options))
    with appearing(target) as partial:
        with northwind.Store(partial) as store:
            head = northwind.Ledger.import_journal(store, options.file)
    row = {"store": target, "head": {"sequence": head.sequence, "hash": head.hash.hex()}}
    output.facts(row, [("store", target), ("head", f"{head.sequence}:{head.hash.hex()}")])
    return exits.OK


def _import_lines(options: argparse.Namespace, output: Output) -> int:
    with Lines(options.file, _LONGEST_LINE) as lines, ledger(options, create=True) as opened:
        importer = _Importer(opened)
        with output.progress("importing", lines.size, in_bytes=True) as progress:
            for line in lines:
                if len(line.text) >= _LONGEST_LINE:
                    raise exits.Complaint(exits.BAD_INPUT, f"line {line.number}: longer than {_LONGEST_LINE} bytes")
                importer.take(_Line(line.number, line.text))
                progress.at(lines.read)
                if importer.refused:
                    break
            importer.commit()
    row: Row = {
        "accounts": importer.opened, "applied": importer.applied, "duplicates": importer.duplicates, "left_out": importer.left_out,
        "refused": importer.refused,
    }
    output.facts(row, [(name.replace("_", " "), count) for name, count in row.items() if name != "refused"])
    if importer.refused and not output.as_json:
        output.line()
        output.rows(
            (Column("LINE", "line", right=True), Column("REFUSED", "outcome"), Column("WHY", "why"), Column("REFERENCE", "reference")),
            importer.refused,
        )
    return exits.NO if importer.refused else exits.OK


def _is_journal(path: str) -> bool:
    if path == "-":
        return False
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def run(options: argparse.Namespace, output: Output) -> int:
    return _import_journal(options, output) if _is_journal(options.file) else _import_lines(options, output)
