# SPDX-License-Identifier: Apache-2.0
"""Records of the journal, with account names and assets instead of numbers, as JSON."""

from __future__ import annotations

import typing

import northwind

from .terminal import Row
from .values import rfc3339

Record = typing.Union[
    northwind.AccountOpened, northwind.AccountChanged, northwind.TransactionRecorded, northwind.HoldExpired
]


class Names:
    """Names and assets of accounts by number: learnt from the journal as it is read, else asked of the ledger."""

    def __init__(self, ledger: northwind.Ledger) -> None:
        self._ledger = ledger
        self._known: dict[int, tuple[str, str]] = {}

    def learn(self, record: northwind.AccountOpened) -> None:
        self._known[record.id] = (record.spec.name, record.spec.asset)

    def of(self, account: int) -> tuple[str, str]:
        known = self._known.get(account)
        if known is None:
            found = self._ledger.account(account)
            known = self._known[account] = (found.name, found.asset)
        return known


def posting_json(posting: northwind.Posting, names: Names) -> Row:
    debit, asset = names.of(posting.debit)
    return {"debit": debit, "credit": names.of(posting.credit)[0], "asset": asset, "units": str(posting.amount)}


def text_json(name: str, text: str) -> Row:
    """Bytes that are no UTF-8 are surrogates in Python, and hexadecimal in JSON."""
    return _bytes_json(name, text.encode("utf-8", "surrogateescape"))


def text_of(row: Row, name: str) -> str | None:
    """What `text_json` has put there, for people."""
    if f"{name}_hex" in row:
        return bytes.fromhex(row[f"{name}_hex"]).decode("utf-8", "surrogateescape")
    return row.get(name)


def _bytes_json(name: str, data: bytes) -> Row:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {name + "_hex": data.hex()}


def transaction_json(transaction: northwind.Transaction, names: Names) -> Row:
    """What was asked for. Fields at their default are left out."""
    row: Row = {"key": transaction.key.hex(), "kind": str(transaction.kind)}
    if transaction.postings:
        row["postings"] = [posting_json(posting, names) for posting in transaction.postings]
    target = transaction.target
    if target is not None:
        if target.key is not None:
            row["target"] = {"key": target.key.hex()}
        else:
            row["target"] = {"code": target.code, **text_json("reference", target.reference)}
    if transaction.amount:
        row["amount"] = str(transaction.amount)
    if transaction.final_capture:
        row["final_capture"] = True
    if transaction.code:
        row["code"] = transaction.code
    if transaction.reference:
        row.update(text_json("reference", transaction.reference))
    if transaction.unique_reference:
        row["unique_reference"] = True
    if transaction.effective_at_ns is not None:
        row["effective_at"] = rfc3339(transaction.effective_at_ns)
    if transaction.expires_at_ns is not None:
        row["expires_at"] = rfc3339(transaction.expires_at_ns)
    if transaction.metadata:
        row.update(_bytes_json("metadata", transaction.metadata))
    return row


def record_json(record: Record, names: Names) -> Row:
    row: Row = {"sequence": record.sequence, "recorded_at": rfc3339(record.recorded_at_ns)}
    if isinstance(record, northwind.AccountOpened):
        names.learn(record)
        spec = record.spec
        row.update(record="account_opened", account=spec.name, asset=spec.asset, external=spec.external)
        row["min_available"] = str(spec.min_available)
    elif isinstance(record, northwind.AccountChanged):
        row.update(record="account_changed", account=names.of(record.id)[0], state=str(record.state))
        row["min_available"] = str(record.min_available)
    elif isinstance(record, northwind.TransactionRecorded):
        row.update(record="transaction", outcome=str(record.outcome))
        if record.reason:
            row["reason"] = str(record.reason)
        row.update(transaction_json(record.transaction, names))
        if record.target:
            row["target_sequence"] = record.target
        if record.outcome is northwind.Outcome.APPLIED:
            row["moved"] = [posting_json(posting, names) for posting in record.moved]
        if record.released:
            row["released"] = str(record.released)
    else:
        row.update(record="hold_expired", hold=record.hold, released=str(record.released))
    return row
