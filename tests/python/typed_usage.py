# SPDX-License-Identifier: Apache-2.0
"""Uses of northwind that type checkers have to understand; run by nobody, read by mypy."""

from __future__ import annotations

import datetime
import uuid

import northwind
from northwind import Outcome, Transaction


async def pay(ledger: northwind.Ledger, at: datetime.datetime) -> int:
    card = ledger.open_account("world:card", "USD/2", external=True)
    shop = ledger.open_account("merchant:42:available", "USD/2")
    payment = Transaction(northwind.derive_key("pay_1", at), [(card, shop, 10_000)])
    one: northwind.CommitResult = ledger.commit(payment)
    many: list[northwind.CommitResult] = ledger.commit([payment, Transaction(uuid.uuid4(), [(card, shop, 1)])])
    late = await ledger.commit_async(payment)
    lates = await ledger.commit_async([payment])
    return late.sequence + one.sequence + sum(r.sequence for r in many + lates if r.outcome is Outcome.APPLIED)


def read(ledger: northwind.Ledger) -> None:
    for record in ledger.journal():
        if isinstance(record, northwind.TransactionRecorded):
            moved: tuple[northwind.Posting, ...] = record.moved
            print(record.transaction.key.hex(), moved)
    for entry in ledger.history("merchant:42:available", reverse=True):
        print(entry.amount + entry.after.available, entry.recorded_at.isoformat())
    try:
        ledger.commit(Transaction(b"0123456789abcdef"))
    except northwind.InsufficientFunds as error:
        print(error.result.reason, error.code)


def move(ledger: northwind.Ledger, claims: northwind.PostgresClaims, day: datetime.date) -> None:
    cutover = northwind.Cutover(ledger.store, "salt")
    mapping = {"row_id": "row", "only_leg": northwind.Leg.PAYOUT}
    with northwind.ParallelRun(ledger, mapping, is_ours=northwind.northwind_pays(cutover, claims)) as run:
        for page in northwind.LegacyReader("dbname=batch").pages("SELECT 1", ["row"]):
            run.ingest("batch", page)
        figures: northwind.DayFigures = run.close_day(day, "ann", expected={"USD/2": (1, -100)})
        if figures.clean and run.gate().open:
            cutover.raise_(run, "ann", "a clean day")
    systems: list[northwind.SettlementSystem] = [a.system for a in cutover.assign([("po_1", "m1")])]
    overrides: dict[str, northwind.Override] = {item.merchant_id: item.value for item in cutover.overrides()}
    print(systems, overrides, [item.claim for item in cutover.residue(claims)])
