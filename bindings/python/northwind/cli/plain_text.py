# SPDX-License-Identifier: Apache-2.0
"""The journal as plain-text accounting, which both ledger and hledger read.

What is posted becomes a transaction there; what is held, released, expired or rejected does not, so that a balance there is what is
*posted* here. A debit is positive, as accountants have it: a merchant's balance, which is owed, is negative. Everything is ASCII: what is not,
and what would mean something to those programs, is %XX of its UTF-8, and so is "%".
"""

from __future__ import annotations

import re
import typing

import northwind

from .records import Names, Record
from .values import rfc3339

# Letters, digits and these stay as they are in names of accounts.
_PLAIN = re.compile(r"[A-Za-z0-9:._/+,@-]")
_MOVES = (northwind.TransactionKind.POST, northwind.TransactionKind.CAPTURE, northwind.TransactionKind.REVERSE)
_LETTERS = re.compile(r"[A-Z]+")


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def account_name(name: str) -> str:
    """One to one. A colon that would leave a part of the name empty is escaped as well."""
    parts = []
    for place, character in enumerate(name):
        plain = _PLAIN.fullmatch(character) is not None
        if character == ":":
            plain = 0 < place < len(name) - 1 and name[place - 1] != ":"
        parts.append(character if plain else _escaped(character))
    return "".join(parts)


def description(text: str) -> str:
    """A reference, on one line."""
    parts = []
    for place, character in enumerate(text):
        plain = " " < character <= "~" and character not in ";|%"
        if character == " ":
            plain = 0 < place < len(text) - 1 and text[place - 1] != " "
        parts.append(character if plain else _escaped(character))
    return "".join(parts)


class Commodities:
    """Assets by their code alone, unless that would be two, or no name of a commodity: then "CODE/SCALE" in quotes."""

    def __init__(self, assets: typing.Iterable[str]) -> None:
        self.assets = sorted(set(assets))
        codes = [asset.split("/")[0] for asset in self.assets]
        self._names = {
            asset: code if codes.count(code) == 1 and _LETTERS.fullmatch(code) else f'"{asset}"'
            for asset, code in zip(self.assets, codes)
        }

    def name(self, asset: str) -> str:
        return self._names[asset]

    def amount(self, units: int, asset: str) -> str:
        return f"{self._names[asset]} {northwind.format_amount(units, asset)}"


class PlainText:
    """Writes one file."""

    def __init__(self, ledger: northwind.Ledger, *, effective: bool, credits_positive: bool) -> None:
        self._ledger = ledger
        self._names = Names(ledger)
        self._effective = effective
        self._sign = -1 if credits_positive else 1
        self._accounts = [(account.name, account.asset) for account in ledger.accounts()]
        self._commodities = Commodities(asset for _, asset in self._accounts)
        self._last_date = "1970-01-01"
        self.transactions = 0

    def head(self, after: int) -> typing.Iterator[str]:
        head = self._ledger.head
        yield f"; northwind {northwind.__version__}, ledger {self._ledger.id.hex()}, records {after + 1} to {head.sequence}"
        yield f"; head {head.sequence}:{head.hash.hex()}"
        yield "; what is posted; holds are not in it"
        yield ""
        for asset in self._commodities.assets:
            scale = int(asset.split("/")[1])
            name = self._commodities.name(asset)
            yield f"commodity {name}"
            yield f"    format {name} 1000.{'0' * scale}"
        for name, _ in self._accounts:
            yield f"account {account_name(name)}"
        yield ""

    def record(self, record: Record) -> typing.Iterator[str]:
        if isinstance(record, northwind.AccountOpened):
            self._names.learn(record)
        if not isinstance(record, northwind.TransactionRecorded) or record.outcome is not northwind.Outcome.APPLIED:
            return
        transaction = record.transaction
        if transaction.kind not in _MOVES or not record.moved:
            return
        self.transactions += 1
        at = record.recorded_at_ns
        if self._effective and transaction.effective_at_ns is not None:
            at = transaction.effective_at_ns
        date = rfc3339(at)[:10]
        self._last_date = max(self._last_date, date)
        yield f"{date} * ({record.sequence}) {description(transaction.reference) or transaction.kind}"
        yield f"    ; kind: {transaction.kind}"
        yield f"    ; key: {transaction.key.hex()}"
        if transaction.code:
            yield f"    ; code: {transaction.code}"
        if record.target:
            yield f"    ; target: {record.target}"
        yield f"    ; recorded: {rfc3339(record.recorded_at_ns)}"
        for posting in record.moved:
            debit, asset = self._names.of(posting.debit)
            credit, _ = self._names.of(posting.credit)
            yield f"    {account_name(debit)}  {self._commodities.amount(self._sign * posting.amount, asset)}"
            yield f"    {account_name(credit)}  {self._commodities.amount(-self._sign * posting.amount, asset)}"
        yield ""

    def assertions(self) -> typing.Iterator[str]:
        """Balances as the ledger has them, which hledger and ledger compare with what they add up themselves."""
        yield f"{self._last_date} * balances, as northwind has them"
        for account in self._ledger.accounts():
            nothing = self._commodities.amount(0, account.asset)
            posted = self._commodities.amount(-self._sign * account.balance.posted, account.asset)
            yield f"    {account_name(account.name)}  {nothing} = {posted}"
        yield ""
