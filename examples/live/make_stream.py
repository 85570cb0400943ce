#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a stream of payment events whose payouts have no ends yet: those are for a bank to tell.

    make_stream.py EVENTS SEED      JSON lines on standard output

Captures, refunds and payout requests of the 24 largest merchants of make_events; one line in ten is a copy, byte for byte or under a
new timestamp. Whether an event is applied or refused does not depend on what the bank does, or when: a merchant asks for
at most half of what these events have brought it so far and gives back less than the rest, or asks for more than there is.
"""
import json
import random
import sys

MERCHANTS = 24
START = 1_767_225_600_000  # 2026-01-01, after all that make_events makes
MORE_THAN_THERE_IS = 10**17


def time_of(milliseconds):
    seconds, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds - START // 1000, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    assert days < 31
    return f"2026-01-{days + 1:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z"


class Stream:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = [0, 0]
        self.funds = {}
        self.captured = []  # that may be refunded

    def amount(self, units):
        return {"asset": "USD/2", "units": str(units)}

    def capture(self, merchant):
        self.numbers[0] += 1
        units = self.random.randrange(500, 200_000)
        fee = units * 29 // 1000 + 30
        event = {"type": "PAYMENT_CAPTURED", "payment_id": f"live_pay_{self.numbers[0]:07}",
                 "amount": self.amount(units), "fee": self.amount(fee)}
        self.funds[merchant] = self.funds.get(merchant, 0) + (units - fee) // 2
        self.captured.append((merchant, event["payment_id"], units // 3))
        return event

    def payout(self, merchant):
        self.numbers[1] += 1
        funds = self.funds.get(merchant, 0)
        units = MORE_THAN_THERE_IS
        if funds > 0 and self.random.randrange(50):
            units = self.random.randrange(1, 1 + max(1, funds // 2))
            self.funds[merchant] = funds - units
        return {"type": "PAYOUT_REQUESTED", "payout_id": f"live_po_{self.numbers[1]:07}", "amount": self.amount(units)}

    def next(self, milliseconds):
        """An event, and the merchant that it is of."""
        merchant = self.random.choices(range(1, MERCHANTS + 1), [1 / n for n in range(1, MERCHANTS + 1)])[0]
        what = self.random.random()
        if what < 0.05 and self.captured:
            merchant, payment, units = self.captured.pop(self.random.randrange(len(self.captured)))
            event = {"type": "PAYMENT_REFUNDED", "payment_id": payment, "refund_id": "r1", "amount": self.amount(units)}
        elif what < 0.3:
            event = self.payout(merchant)
        else:
            event = self.capture(merchant)
        event["merchant_id"] = f"m_{merchant:08}"
        event["occurred_at"] = time_of(milliseconds)
        return event


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    events, stream = int(arguments[0]), Stream(int(arguments[1]))
    choose = stream.random
    recent = []
    for i in range(events):
        now = START + i * 37
        if recent and choose.random() < 0.1:
            event = dict(choose.choice(recent))
            if choose.random() < 0.4:
                event["occurred_at"] = time_of(now)
        else:
            event = stream.next(now)
            recent = [*recent[-499:], event]
        print(json.dumps(event, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
