# SPDX-License-Identifier: Apache-2.0
# %% [markdown]
# # A day of payment events, replayed
#
# A few merchants take payments, give some of them back, and are paid out in the evening. This page replays such a day through settlement,
# in the order in which its events came, asks the ledger what every balance was at any moment of it, and draws that.
#
# It is a plain program (`python examples/python/replay_day.py --output day.png`), and a notebook in any editor that knows `# %%` cells: Jupyter
# with jupytext, VS Code, Spyder. Besides northwind it needs numpy and matplotlib.

# %%
from __future__ import annotations

import argparse
import bisect
import datetime
import json
import pathlib
import random
import sys
import tempfile
import typing

import matplotlib
import numpy

import northwind

UTC = datetime.timezone.utc
MIDNIGHT = datetime.datetime(2024, 3, 1, tzinfo=UTC)
ASSET = "USD/2"

parser = argparse.ArgumentParser(description="Replays a day of payment events and draws balances and throughput.", allow_abbrev=False)
parser.add_argument("--output", default="replay_day.png", help="the picture (%(default)s)")
parser.add_argument("--events", help="a file of JSON lines instead of a day of our own, such as `make_events --days 1` writes")
parser.add_argument("--save-events", help="write the events here, in the order in which they come")
parser.add_argument("--store", help="a new directory for the ledger, to be kept; otherwise a temporary one")
parser.add_argument("--payments", type=int, default=4000, help="of a day of our own (%(default)s)")
parser.add_argument("--seed", type=int, default=1, help="another seed, another day (%(default)s)")
# A kernel of Jupyter has arguments of its own.
options = parser.parse_args([] if "ipykernel" in sys.modules else None)
if "ipykernel" not in sys.modules:
    matplotlib.use("Agg")  # draws into files, and needs no screen
from matplotlib import dates, pyplot  # noqa: E402

# %% [markdown]
# ## The events
#
# Each is a dict of [docs/events.md](../../docs/events.md). What makes the day realistic: merchants are busy at different hours; one payment
# of sixteen is refunded; one event of ten comes twice; some come late, so that a refund may be here before its payment; and
# at six in the evening a payout run asks for most of what each merchant has. One of the payouts fails, and one is still under way at midnight.

# %%
Event = dict[str, typing.Any]
MERCHANTS = {"bakery": (6, 15, 5), "bookshop": (9, 19, 3), "cinema": (14, 23, 4), "online": (0, 24, 8)}  # opens, shuts, share


def instant(second: float) -> str:
    return (MIDNIGHT + datetime.timedelta(milliseconds=round(second * 1000))).isoformat(timespec="milliseconds")[:-6] + "Z"


def money(units: int) -> dict[str, str]:
    return {"asset": ASSET, "units": str(units)}


def made_up_day(payments: int, seed: int) -> list[str]:
    """JSON lines in the order in which they come. The same seed, the same day."""
    chance = random.Random(seed)
    deliveries: list[tuple[float, int, str]] = []  # when it comes, a number, what
    earned = dict.fromkeys(MERCHANTS, 0)

    def deliver(event: Event, at: float, comes: float) -> None:
        text = json.dumps({**event, "occurred_at": instant(at)}, separators=(",", ":"))
        deliveries.append((comes, len(deliveries), text))
        if chance.random() < 0.1:
            deliveries.append((comes + 600 * chance.random(), len(deliveries), text))

    for number in range(payments):
        (merchant,) = chance.choices(list(MERCHANTS), [share for _, _, share in MERCHANTS.values()])
        opens, shuts, _ = MERCHANTS[merchant]
        at = 3600 * (opens + (shuts - opens) * chance.random())
        amount = 100 + chance.randrange(20_000)
        fee = 30 + amount * 29 // 1000 if amount > 1000 else 0
        payment = {"payment_id": f"pay_{number}", "merchant_id": merchant}
        late = 900 * chance.random() if chance.random() < 0.1 else 0
        captured = {"type": "PAYMENT_CAPTURED", **payment, "amount": money(amount)}
        deliver({**captured, "fee": money(fee)} if fee else captured, at, at + late)
        kept = amount - fee
        if chance.random() < 1 / 16:
            back = amount if chance.random() < 0.7 else 1 + chance.randrange(amount)
            refunded = {"type": "PAYMENT_REFUNDED", **payment, "refund_id": "r", "amount": money(back)}
            after = min(at + 60 + 1800 * chance.random(), 86_399)
            deliver(refunded, after, after)
            kept -= back
        if at < 3600 * 16:
            earned[merchant] += kept

    for place, merchant in enumerate(sorted(MERCHANTS)):
        payout = {"payout_id": f"po_{merchant}", "merchant_id": merchant}
        at = 3600 * 18 + 5 * place
        deliver({"type": "PAYOUT_REQUESTED", **payout, "amount": money(max(1, earned[merchant] * 3 // 4))}, at, at)
        end = at + 1800 * (1 + place)
        if place < len(MERCHANTS) - 1:
            deliver({"type": "PAYOUT_FAILED" if place == 1 else "PAYOUT_PAID", **payout}, end, end)
    return [text for _, _, text in sorted(deliveries)]


if options.events:
    lines = pathlib.Path(options.events).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
else:
    lines = made_up_day(options.payments, options.seed)
if options.save_events:
    pathlib.Path(options.save_events).write_text("".join(line + "\n" for line in lines), encoding="utf-8", errors="surrogateescape")
print(len(lines), "events")

# %% [markdown]
# ## The replay
#
# The ledger's clock is the day's: it stands at the newest time that an event has told, so that what is recorded is recorded as if
# it were then. Five minutes at a time go into the intake. What has been told twice is applied once; what comes before the event that it works on
# waits for it.

# %%
now = MIDNIGHT
directory = tempfile.TemporaryDirectory()
ledger = northwind.Ledger(options.store or directory.name, clock=lambda: now)
intake = northwind.Intake(ledger)


def time_of(line: str) -> datetime.datetime | None:
    """Of an event; None of what is none: that is put into quarantine, like anything that cannot be applied."""
    try:
        return northwind.PaymentEvent.from_json(line).occurred_at
    except northwind.InvalidArgument:
        return None


def slices(lines: list[str], minutes: int) -> typing.Iterator[tuple[datetime.datetime, list[str]]]:
    """The lines that come within so many minutes, and the time at their end."""
    newest, current = MIDNIGHT, list[str]()
    for line in lines:
        at = max(newest, time_of(line) or newest)
        if current and (at - MIDNIGHT) // datetime.timedelta(minutes=minutes) > (newest - MIDNIGHT) // datetime.timedelta(minutes=minutes):
            yield newest, current
            current = []
        newest = at
        current.append(line)
    if current:
        yield newest, current


became: dict[str, int] = {}
first = 0
for now, part in slices(lines, 5):
    result = intake.apply(part, first_position=first)
    first += len(part)
    for outcome in result.outcomes:
        became[str(outcome.status)] = became.get(str(outcome.status), 0) + 1
    for late in result.late:
        became["applied late"] = became.get("applied late", 0) + 1
for late in intake.finish():
    became["never applied"] = became.get("never applied", 0) + 1
print(", ".join(f"{count} {status}" for status, count in sorted(became.items())))

# %% [markdown]
# ## Balances over the day
#
# `history_array` has a row for each change of an account, with the balance after it. What is held (for a payout under way) is what is posted and
# not available. A balance as of a moment, `ledger.balance(account, at=...)`, is the same: looked at every hour, by both.

# %%
accounts = [a for a in ledger.accounts("merchant:") if a.asset == ASSET]
names = [a.name.split(":")[1] for a in accounts]
history = {name: ledger.history_array(account) for name, account in zip(names, accounts)}
available = {name: rows["available"].astype("i8") for name, rows in history.items()}
held = {name: (rows["posted"] - rows["available"]).astype("i8") for name, rows in history.items()}

for hour in range(1, 25):
    moment = MIDNIGHT + datetime.timedelta(hours=hour)
    for name, account in zip(names, accounts):
        asked = ledger.balance(account, at=moment)
        # The end of the microsecond that the moment names.
        before = numpy.searchsorted(history[name]["recorded_at"], numpy.datetime64(moment.replace(tzinfo=None), "ns") + numpy.timedelta64(999, "ns"), "right")
        assert asked.available == (int(available[name][before - 1]) if before else 0)
        assert asked.debits_held == (int(held[name][before - 1]) if before else 0)

# %% [markdown]
# ## Throughput
#
# `journal_arrays` is the whole journal: a row for each record, and a row for each posting that moved money.

# %%
records, postings = ledger.journal_arrays()
bins = numpy.datetime64(MIDNIGHT.replace(tzinfo=None), "ns") + numpy.arange(0, 24 * 12 + 1) * numpy.timedelta64(5, "m")
is_transaction = records["type"] == northwind.RecordType.TRANSACTION
applied = records[is_transaction & (records["outcome"] == northwind.Outcome.APPLIED)]
per_bin = numpy.bincount(numpy.clip(numpy.searchsorted(bins, applied["recorded_at"], "right") - 1, 0, 24 * 12 - 1), minlength=24 * 12)

# %% [markdown]
# ## The picture

# %%
figure, axes = pyplot.subplots(3, 1, figsize=(11, 9), dpi=110, sharex=True, layout="constrained", height_ratios=[3, 2, 1])
shown = sorted(names, key=lambda name: -len(history[name]))[:8]
for name in shown:
    x = numpy.append(history[name]["recorded_at"], bins[-1])  # the last balance holds until midnight
    axes[0].step(x, numpy.append(available[name], available[name][-1]) / 100, where="post", label=name)
    axes[1].step(x, numpy.append(held[name], held[name][-1]) / 100, where="post")
axes[0].set_title(f"{len(lines)} events of {MIDNIGHT:%d %B %Y}")
axes[0].set_ylabel("available, USD")
axes[1].set_ylabel("held, USD")
axes[2].bar(bins[:-1], per_bin, width=numpy.timedelta64(5, "m"), align="edge")
axes[2].set_ylabel("applied in 5 min")
axes[2].xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
axes[0].legend(loc="upper left")
for axis in axes:
    axis.grid(alpha=0.3)
figure.savefig(options.output)
pyplot.close(figure)
figure  # shown under its cell in a notebook

# %% [markdown]
# ## Is every cent there?
#
# Everything is derived from the journal again, by the ledger; and added up here, in whole numbers: what was moved into an account less what was moved
# out of it is its balance, and all balances together are nothing.

# %%
report = ledger.verify()
everyone = list(ledger.accounts())
assert not postings["amount_high"].any()  # no amount here needs more than 64 bits
# A hold is a promise: what it moves is moved by its capture.
holds = records["sequence"][is_transaction & (records["kind"] == northwind.TransactionKind.HOLD)]
real = postings[~numpy.isin(postings["sequence"], holds)]
moved = dict.fromkeys((account.id for account in everyone), 0)
for debit, credit, amount in zip(real["debit"].tolist(), real["credit"].tolist(), real["amount"].tolist()):
    moved[debit] -= amount
    moved[credit] += amount
for account in everyone:
    assert account.balance.posted == moved[account.id], account.name
for asset in {account.asset for account in everyone}:
    assert sum(account.balance.posted for account in everyone if account.asset == asset) == 0, asset

print(f"{report.transactions_applied} applied, {report.records} records, derived from the journal again")
print(f"{'merchant':<12}{'available':>14}{'held':>14}{'paid out':>14}")
paid = {name: int(rows["amount"][rows["code"] == 1007].sum()) for name, rows in history.items()}
for name, account in zip(names, accounts):
    balance = ledger.balance(account)
    figures = (balance.available, balance.debits_held, paid[name])
    print(f"{name:<12}" + "".join(f"{northwind.format_amount(units, ASSET):>14}" for units in figures))

intake.close()
ledger.close()
directory.cleanup()
