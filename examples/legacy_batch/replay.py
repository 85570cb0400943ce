# SPDX-License-Identifier: Apache-2.0
"""What must come of payment events, and which of it each historical defect of the batch spoils.

Computed from the raw events by examples/recount.py, which shares no code with the library, and nothing with the batch's SQL either.
"""
import collections
import datetime
import pathlib
import sys
import zoneinfo

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import recount  # noqa: E402

# A settled thing as the parallel run compares it: `units` as the merchant sees them.
Row = collections.namedtuple("Row", "leg id merchant asset units fee status day nanos")

LEGS = {recount.CAPTURED: "capture", recount.REFUNDED: "refund", recount.OPENED: "dispute", recount.REQUESTED: "payout",
        recount.RETURNED: "payout_return", recount.ADJUSTMENT: "adjustment"}
ENDS = {None: "open", recount.PAID: "paid", recount.FAILED: "failed", recount.CANCELED: "canceled",
        recount.LOST: "lost", recount.WON: "won"}


class Books(recount.Books):
    """The books of the recount, which remember the events that were applied, and what came again under a new time."""

    def __init__(self, line_at):
        super().__init__(line_at)
        self.events = []
        self.asked_again = set()  # payouts

    def take(self, event, raw):
        became = super().take(event, raw)
        if became == "applied" and event.code in LEGS:
            self.events.append(event)
        elif became == "already_settled" and event.code == recount.REQUESTED:
            self.asked_again.add(event.subject)
        return became


class Days:
    """Business days and hours of moments."""

    def __init__(self, time_zone):
        self.zone = zoneinfo.ZoneInfo(time_zone)
        self.known = {}

    def local(self, nanos):
        """(day, minutes since midnight) on the wall clock."""
        minute = nanos // (60 * 10**9)
        found = self.known.get(minute)
        if found is None:
            moment = datetime.datetime.fromtimestamp(minute * 60, self.zone)
            found = self.known[minute] = (moment.date().isoformat(), moment.hour * 60 + moment.minute)
        return found


def replay(lines):
    """The books after events, an iterable of lines (bytes)."""
    kept = []
    books = Books(kept.__getitem__)
    for place, raw in enumerate(lines):
        kept.append(raw)
        try:
            event = recount.read_event(raw, place)
        except recount.Malformed:
            continue
        books.take(event, raw)
    return books


def rows(books, days):
    """Every settled thing."""
    for event in books.events:
        leg, fee, status = LEGS[event.code], None, "settled"
        left = books.applied.get(event[:2])
        units = event.units
        if event.code == recount.CAPTURED:
            fee = event.fee
        elif event.code == recount.REFUNDED:
            fee, units = event.fee, -units
        elif event.code in (recount.OPENED, recount.REQUESTED):
            # Of what ended in part, the part.
            units, status = -left.paid if left.end in (recount.LOST, recount.PAID) else -units, ENDS[left.end]
        elif event.code == recount.RETURNED:
            hold = books.applied[recount.PAID, event.subject]
            units = hold.returned
        elif event.direction == "DEBIT":
            units = -units
        asset = event.asset
        if asset is None:  # a return that does not say what of: of the payout
            asset = books.applied[recount.PAID, event.subject].merchant.rsplit(":", 1)[1]
        yield Row(leg, event.subject, event.merchant, asset, units, fee, status, days.local(event.nanos)[0], event.nanos)


def shard_of(merchant):
    return int(merchant[-1]) if merchant[-1].isdigit() else 0


def list_fee(asset, units):
    """Of the price list, rounded half up."""
    return min(units, (units * 29 + 500) // 1000 + (10 if asset == "JPY/0" else 30))


class Affected:
    """Which rows each defect spoils. `last_hour`: minutes since midnight from which on refunds are lost."""

    # The class under which a parallel run must count them.
    CLASSES = {"rounding": "fee", "day_shift": "day_shift", "missed_refund": "missing_there",
               "duplicate_payout": "duplicate", "wrong_currency": "currency", "yen_as_cents": "amount"}

    def __init__(self, books, days, last_hour):
        self.books, self.days, self.last_hour = books, days, last_hour
        self.utc = Days("UTC")
        self.captured = {event.subject: event.units for event in books.events if event.code == recount.CAPTURED}

    def rounding(self, row):
        return row.leg == "capture" and list_fee(row.asset, row.units) != row.fee

    def day_shift(self, row):
        return self.utc.local(row.nanos)[0] != row.day

    def missed_refund(self, row):
        return (row.leg == "refund" and -row.units < self.captured[row.id.split("/")[0]]
                and self.days.local(row.nanos)[1] >= self.last_hour)

    def duplicate_payout(self, row):
        return row.leg == "payout" and row.id in self.books.asked_again

    def wrong_currency(self, row):
        return row.leg == "capture" and row.asset == "EUR/2"

    def yen_as_cents(self, row):
        return row.leg == "capture" and row.asset == "JPY/0"

    def of(self, shards):
        """{defect: sorted ids, "leg:id"} for {defect: the shards that it is in}."""
        found = {name: set() for name in shards}
        tests = [(name, frozenset(wanted), getattr(self, name)) for name, wanted in shards.items()]
        for row in rows(self.books, self.days):
            shard = shard_of(row.merchant)
            for name, wanted, test in tests:
                if shard in wanted and test(row):
                    found[name].add(f"{row.leg}:{row.id}")
        return {name: sorted(ids) for name, ids in found.items()}
