# SPDX-License-Identifier: Apache-2.0
"""Payment events of a few shops over some days, and what they must come to: an oracle that shares nothing with the library."""
import collections
import datetime
import json
import random

SHOPS = {"bakery": "USD/2", "bookshop": "EUR/2", "cinema": "JPY/0"}
DAYS = 7  # before today


def moment(day, seconds):
    return (day + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Sample:
    """`events`: (line of JSON, what it is). All of them apply, in whatever order payments come, if refunds come after captures."""

    def __init__(self, seed, payments):
        self.random = random.Random(seed)
        self.today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self.available = collections.Counter()  # shop → minor units, but for payouts
        self.first, self.then, self.payouts = [], [], []
        self.rows = []  # as a batch would have them: day → its own figures
        self.numbered = 0
        per_day = max(1, payments // (DAYS + 1))
        for back in range(DAYS, -1, -1):
            day = self.today - datetime.timedelta(days=back)
            end = 86_400 if back else max(1, int((self.now - self.today).total_seconds()))
            for _ in range(per_day):
                self.payment(day, end, bool(back))
        for back in range(DAYS, 0, -1):
            for shop in SHOPS:
                for number in (1, 2):
                    self.payout(shop, self.today - datetime.timedelta(days=back), number)

    def event(self, kind, shop, at, units=None, fee=None, **more):
        event = {"type": kind, "merchant_id": shop, "occurred_at": at, **more}
        if units is not None:
            event["amount"] = {"asset": SHOPS[shop], "units": str(units)}
        if fee:
            event["fee"] = {"asset": SHOPS[shop], "units": str(fee)}
        return json.dumps(event)

    def row(self, kind, id, shop, units, fee, status, day, refund=None):
        code, scale = SHOPS[shop].split("/")
        self.rows.append({"line": str(len(self.rows) + 1), "kind": kind, "id": id, "refund": refund, "merchant": shop, "currency": code,
                          "amount": decimal(units, int(scale)), "fee": None if fee is None else decimal(fee, int(scale)), "status": status,
                          "day": day.strftime("%Y-%m-%d"), "units": -units if kind in ("REF", "PAY") else units, "asset": SHOPS[shop]})

    def payment(self, day, end, closed):
        self.numbered += 1
        shop = self.random.choice(list(SHOPS))
        id, second = f"pay_{self.numbered}", self.random.randrange(end)
        units = self.random.randrange(500, 20_000)
        fee = units * 29 // 1000 + 30
        self.first.append(self.event("PAYMENT_CAPTURED", shop, moment(day, second), units, fee, payment_id=id))
        self.available[shop] += units - fee
        if closed:
            self.row("CAP", id, shop, units, fee, "OK", day)
        if self.random.random() < 0.06:
            part = self.random.randrange(1, units // 4)
            self.then.append(self.event("PAYMENT_REFUNDED", shop, moment(day, min(end - 1, second + 60)), part, payment_id=id, refund_id="r1"))
            self.available[shop] -= part
            if closed:
                self.row("REF", id, shop, part, None, "OK", day, refund="r1")

    def payout(self, shop, day, number):
        """A twentieth of what the shop has at the end, twice a day: always covered."""
        id, units = f"po_{shop}_{day:%m%d}_{number}", self.available[shop] // 20
        event = self.event("PAYOUT_REQUESTED", shop, moment(day, 64_800 + number), units, payout_id=id)
        self.payouts.append((id, shop, units, day, event))


def decimal(units, scale):
    digits = str(units).rjust(scale + 1, "0")
    return f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
