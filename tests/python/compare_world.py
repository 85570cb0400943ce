# SPDX-License-Identifier: Apache-2.0
"""A ledger that settles events, and a parallel run with a batch system that is a few rows of text."""

import datetime

import northwind
from northwind import EventType, Leg, LegStatus, PaymentEvent

DAY = datetime.date(2026, 3, 2)
ONE = datetime.timedelta(days=1)
COLUMNS = ["row", "type", "ref", "merchant", "currency", "amount", "status", "day"]
MAPPING = {
    "row_id": "row", "leg": "type", "legs": {"CAP": Leg.CAPTURE, "REF": "refund", "PAY": "payout"}, "id": "ref", "merchant_id": "merchant",
    "asset": "currency", "assets": {"USD": "USD/2"}, "amount": "amount", "status": "status",
    "statuses": {"OK": LegStatus.SETTLED, "OPEN": "open"}, "skipped_statuses": {"VOID", "TEST"}, "day": "day",
}


def noon(day):
    return datetime.datetime.combine(day, datetime.time(12), datetime.timezone.utc)


def row(ref, amount, day=DAY, kind="CAP", status="OK"):
    return [f"{kind}:{ref}", kind, ref, "m1", "USD", amount, status, day.isoformat()]


class World:
    def __init__(self, path, day=DAY + ONE, **options):
        self.now = noon(day)
        self.ledger = northwind.Ledger(path, clock=lambda: self.now)
        self.intake = northwind.Intake(self.ledger)
        self.open(**options)

    def open(self, **options):
        options = {"gate_days": 1, "needs_totals": False, **options}
        self.run = northwind.ParallelRun(self.ledger, MAPPING, clock=lambda: self.now, **options)

    def capture(self, ref, cents, day=DAY):
        event = PaymentEvent(EventType.PAYMENT_CAPTURED, "m1", noon(day), payment_id=ref, amount=("USD/2", cents))
        assert self.intake.apply([event]).outcomes[0].status is northwind.EventStatus.APPLIED

    def payout(self, ref, cents, day=DAY):
        event = PaymentEvent(EventType.PAYOUT_REQUESTED, "m1", noon(day), payout_id=ref, amount=("USD/2", cents))
        assert self.intake.apply([event]).outcomes[0].status is northwind.EventStatus.APPLIED

    def close_day(self, day=DAY, **options):
        self.run.catch_up()
        return self.run.close_day(day, "ann", **options)

    def close(self):
        self.run.close()
        self.intake.close()
        self.ledger.close()
