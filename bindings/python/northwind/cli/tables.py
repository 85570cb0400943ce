# SPDX-License-Identifier: Apache-2.0
"""The journal as a table: one row for each posting that moved or held money, and one for each transaction without any."""

from __future__ import annotations

import csv
import typing

import northwind

from . import exits
from .records import Names, Record
from .terminal import Row
from .values import for_json, rfc3339

COLUMNS = (
    "sequence", "recorded_at", "kind", "outcome", "reason", "key", "code", "reference", "effective_at", "target", "posting", "debit",
    "credit", "asset", "units", "amount", "released",
)
# Rows of one group of a Parquet file.
_GROUP = 25_000
# Most libraries read decimals of 38 digits and no more.
_PARQUET_LIMIT = 10**38


def rows(record: Record, names: Names) -> typing.Iterator[Row]:
    """Of a rejected transaction one row without amounts: they did not move, and must not be added up."""
    if isinstance(record, northwind.AccountOpened):
        names.learn(record)
    if isinstance(record, northwind.HoldExpired):
        yield {
            "sequence": record.sequence, "recorded_at": record.recorded_at_ns, "kind": "expiry", "outcome": "applied",
            "target": record.hold, "released": record.released,
        }
    if not isinstance(record, northwind.TransactionRecorded):
        return
    transaction = record.transaction
    row: Row = {
        "sequence": record.sequence, "recorded_at": record.recorded_at_ns, "kind": str(transaction.kind), "outcome": str(record.outcome),
        "reason": str(record.reason) if record.reason else None, "key": transaction.key.hex(), "code": transaction.code or None,
        "reference": for_json(transaction.reference) or None, "effective_at": transaction.effective_at_ns, "target": record.target or None,
        "released": record.released or None,
    }
    if record.outcome is not northwind.Outcome.APPLIED or not record.moved:
        yield row
        return
    for number, posting in enumerate(record.moved):
        debit, asset = names.of(posting.debit)
        yield {
            **row, "posting": number, "debit": debit, "credit": names.of(posting.credit)[0], "asset": asset, "units": posting.amount,
            "amount": northwind.format_amount(posting.amount, asset), "released": row["released"] if number == 0 else None,
        }


class Csv:
    """RFC 4180, with a line of names."""

    def __init__(self, file: typing.TextIO) -> None:
        self._writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\r\n")
        self._writer.writeheader()

    def write(self, row: Row) -> None:
        text = dict(row)
        for name in ("recorded_at", "effective_at"):
            if text.get(name) is not None:
                text[name] = rfc3339(text[name])
        self._writer.writerow({name: "" if value is None else value for name, value in text.items()})

    def close(self) -> None:
        pass


class Parquet:
    """Times with nanoseconds in UTC, units as decimals of 38 digits; without `amount`, which follows from units and asset."""

    def __init__(self, path: str) -> None:
        pa = exits.need("pyarrow", "Parquet")
        self._pa = pa
        moment, number, units = pa.timestamp("ns", "UTC"), pa.int64(), pa.decimal128(38, 0)
        types = {
            "sequence": number, "recorded_at": moment, "code": pa.int32(), "effective_at": moment, "target": number, "posting": pa.int32(),
            "units": units, "released": units,
        }
        self._schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS if name != "amount"])
        self._writer = exits.need("pyarrow.parquet", "Parquet").ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def write(self, row: Row) -> None:
        import decimal

        kept: Row = {name: row.get(name) for name in self._schema.names}
        for name in ("units", "released"):
            units = kept[name]
            if units is None:
                continue
            if units >= _PARQUET_LIMIT:
                raise exits.Complaint(exits.BAD_INPUT, f"record {row['sequence']}: {units} has more than the 38 digits of Parquet")
            kept[name] = decimal.Decimal(units)
        self._rows.append(kept)
        if len(self._rows) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()
