#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts again, on its own, what a ledger must hold after a file of payment events.

    recount.py EVENTS [DUMP]      DUMP: what `settle --dump DUMP` wrote

Written from docs/events.md and docs/ledger.md, in plain Python, sharing no code with the library: whoever doubts the
ledger can read this instead. Works through the events one by one, in order; an event that works on one which has not come
waits, and is decided right after that one is applied. Then compares every account, every payout, and the count of every
outcome with the dump. One JSON object on standard output; exit status 0 if all agree, 1 if something differs, 2 if a file
cannot be read. Whole numbers only. The file must be a regular one: it is looked at again when an id comes twice.
"""
import collections
import datetime
import gc
import json
import mmap
import re
import sys

MAX_AMOUNT = 2**127 - 1
MAX_LINE = 65536
MAX_METADATA = 4096 - (2 + 64 + 1 + 19)
EARLIEST = 946_684_800 * 10**9  # 2000-01-01
LATEST = 7_258_118_400 * 10**9  # 2200-01-01

IS_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}").fullmatch
IS_REFUND_ID = re.compile(r"[A-Za-z0-9._:-]{1,63}").fullmatch
IS_MERCHANT = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch
IS_ASSET = re.compile(r"[A-Z][A-Z0-9]{0,15}/(?:[0-9]|1[0-8])").fullmatch
IS_UNITS = re.compile(r"0|[1-9][0-9]{0,38}").fullmatch
IS_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z"
).fullmatch

# Which fields each type must have, and which it may have, beside type, occurred_at, merchant_id and metadata.
TYPES = {
    "PAYMENT_CAPTURED": (1001, {"payment_id", "amount"}, {"fee"}),
    "PAYMENT_REFUNDED": (1002, {"payment_id", "amount"}, {"fee", "refund_id"}),
    "DISPUTE_OPENED": (1003, {"payment_id", "amount"}, set()),
    "DISPUTE_LOST": (1004, {"payment_id"}, {"amount"}),
    "DISPUTE_WON": (1005, {"payment_id"}, set()),
    "PAYOUT_REQUESTED": (1006, {"payout_id", "amount"}, set()),
    "PAYOUT_PAID": (1007, {"payout_id"}, {"amount"}),
    "PAYOUT_FAILED": (1008, {"payout_id"}, set()),
    "PAYOUT_CANCELED": (1009, {"payout_id"}, set()),
    "PAYOUT_RETURNED": (1010, {"payout_id"}, {"amount"}),
    "ADJUSTMENT": (1011, {"payment_id", "amount", "direction"}, set()),
}
FIELDS = {
    name: (code, frozenset(must | {"type", "occurred_at", "merchant_id"}),
           frozenset(must | may | {"type", "occurred_at", "merchant_id", "metadata"}))
    for name, (code, must, may) in TYPES.items()
}
NAMES = {code: name for name, (code, _, _) in TYPES.items()}
CAPTURED, REFUNDED, OPENED, LOST, WON, REQUESTED, PAID, FAILED, CANCELED, RETURNED, ADJUSTMENT = range(1001, 1012)
TARGET = {REFUNDED: CAPTURED, LOST: OPENED, WON: OPENED, PAID: REQUESTED, FAILED: REQUESTED, CANCELED: REQUESTED,
          RETURNED: PAID}


class Malformed(Exception):
    """The line is no valid event."""


def no_key_twice(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a key is given twice")
    return found


PARSE = json.JSONDecoder(object_pairs_hook=no_key_twice).decode


def has_surrogate(value):
    if isinstance(value, str):
        return any(0xD800 <= ord(c) <= 0xDFFF for c in value)
    return isinstance(value, dict) and any(has_surrogate(k) or has_surrogate(v) for k, v in value.items())


DAYS = {}


def days_of(date):
    """Days from 1970 of "2024-03-01"."""
    days = DAYS.get(date)
    if days is None:
        try:
            days = DAYS[date] = datetime.date.fromisoformat(date).toordinal() - 719_163
        except ValueError:
            raise Malformed("occurred_at") from None
    return days


def nanos_of(text):
    match = IS_TIME(text) if type(text) is str else None
    if match is None:
        raise Malformed("occurred_at")
    date, hour, minute, second, part = match.groups()
    hour, minute, second = int(hour), int(minute), int(second)
    if hour > 23 or minute > 59 or second > 59:
        raise Malformed("occurred_at")
    nanos = (((days_of(date) * 24 + hour) * 60 + minute) * 60 + second) * 10**9
    if part:
        nanos += int(part.ljust(9, "0"))
    if not EARLIEST <= nanos <= LATEST:
        raise Malformed("occurred_at")
    return nanos


def money_of(value):
    """(asset, units) of {"asset": ..., "units": ...}."""
    if type(value) is not dict or len(value) != 2:
        raise Malformed("amount")
    asset, units = value.get("asset"), value.get("units")
    if type(asset) is not str or type(units) is not str or not IS_ASSET(asset) or not IS_UNITS(units):
        raise Malformed("amount")
    units = int(units)
    if units > MAX_AMOUNT:
        raise Malformed("amount")
    return asset, units


def check_metadata(metadata):
    if type(metadata) is not dict:
        raise Malformed("metadata")
    total = 0
    for key, value in metadata.items():
        if type(value) is not str:
            raise Malformed("metadata")
        size = len(key.encode())
        if not 1 <= size <= 128:
            raise Malformed("metadata")
        total += 4 + size + len(value.encode())
    if total > MAX_METADATA:
        raise Malformed("metadata")


# An event, read. `subject` is what it is about; `content` all that a copy has in common with it.
Event = collections.namedtuple("Event", "code subject nanos merchant asset units fee direction metadata payment place")


def content_of(event):
    return event[3:9]


def read_event(raw, place):
    """The event of a line of bytes; Malformed if it is none."""
    if len(raw) > MAX_LINE or b"\0" in raw or raw.startswith(b"\xef\xbb\xbf"):
        raise Malformed("json")
    try:
        fields = PARSE(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Malformed("json") from None
    if type(fields) is not dict or (b"\\u" in raw and has_surrogate(fields)):
        raise Malformed("json")
    kind = fields.get("type")
    if type(kind) is not str or kind not in FIELDS:
        raise Malformed("type")
    code, must, allowed = FIELDS[kind]
    names = fields.keys()
    if not must <= names <= allowed:
        raise Malformed("a field is missing, or not one of this type")
    asset = units = metadata = None
    fee = 0
    if "amount" in fields:
        asset, units = money_of(fields["amount"])
        if units == 0:
            raise Malformed("amount")
        if "fee" in fields:
            fee_asset, fee = money_of(fields["fee"])
            if fee_asset != asset or fee > units:
                raise Malformed("fee")
    merchant, payment = fields["merchant_id"], fields.get("payment_id")
    subject = fields["payout_id"] if payment is None else payment
    if type(merchant) is not str or type(subject) is not str or not IS_MERCHANT(merchant) or not IS_ID(subject):
        raise Malformed("id")
    if "refund_id" in fields:
        if type(fields["refund_id"]) is not str or not IS_REFUND_ID(fields["refund_id"]):
            raise Malformed("refund_id")
        subject += "/" + fields["refund_id"]
    direction = fields.get("direction")
    if direction not in (None, "CREDIT", "DEBIT") or "direction" in fields and direction is None:
        raise Malformed("direction")
    if "metadata" in fields:
        check_metadata(fields["metadata"])
        metadata = tuple(sorted(fields["metadata"].items())) or None
    return Event(code, subject, nanos_of(fields["occurred_at"]), merchant, asset, units, fee, direction, metadata, payment,
                 place)


class Hold:
    """Money set apart: a dispute or a requested payout."""

    def __init__(self, merchant, other, amount):
        self.merchant, self.other, self.amount, self.remaining = merchant, other, amount, amount
        self.paid = self.released = self.returned = 0
        self.end = None  # code of the event that ended it


class Waiting:
    """An event that came before the one it works on."""

    def __init__(self, event, raw):
        self.event, self.raw, self.copies = event, raw, 0


class Books:
    def __init__(self, line_at):
        self.line_at = line_at  # bytes of the event at a place
        self.accounts = {}  # name -> [debits posted, credits posted, debits held, credits held]
        self.keys = {}  # (code, subject, nanos) -> place, of all that were applied or rejected
        self.applied = {}  # (code, subject) -> what it left for others to work on
        self.refused_payouts = set()
        self.waiting = {}  # (code, subject) -> those that wait for it
        self.waiting_keys = {}  # key -> the same by their own key
        self.counts = collections.Counter()
        self.applied_by_type = collections.Counter()
        self.rejected_by_reason = collections.Counter()
        self.quarantine = {}  # line -> cause

    def account(self, name):
        totals = self.accounts.get(name)
        if totals is None:
            totals = self.accounts[name] = [0, 0, 0, 0]
        return totals

    # ---- One event -----------------------------------------------------------------------------------------

    def take(self, event, raw):
        """Decides an event; returns what became of it."""
        if event.units is not None and event.units + event.fee > MAX_AMOUNT:
            self.set_aside(raw, "invalid")
            return "quarantined"
        key = event[:3]
        place = self.keys.get(key)
        if place is not None:
            if self.same(event, raw, place):
                return "duplicates"
            self.set_aside(raw, "conflict")
            return "quarantined"
        code, subject = event[:2]
        if (code, subject) in self.applied and not (code == REFUNDED and subject == event.payment):
            self.keys[key] = event.place
            self.rejected_by_reason["reference_used"] += 1
            return "already_settled"
        target = None
        if code in TARGET:
            wanted = (TARGET[code], event.payment if code == REFUNDED else subject)
            target = self.applied.get(wanted)
            if target is None:
                return self.wait(event, raw, key, wanted)
        refused = APPLY[code](self, event, target)
        self.keys[key] = event.place
        if refused:
            self.rejected_by_reason[refused] += 1
            if code == REQUESTED:
                self.refused_payouts.add(subject)
            return "rejected"
        self.applied.setdefault((code, subject), True)
        self.applied_by_type[NAMES[code]] += 1
        for waiting in self.waiting.pop((code, subject), ()):
            self.waiting_keys.pop(waiting.event[:3], None)
            became = self.take(waiting.event, waiting.raw)
            self.counts[became] += 1
            self.counts["quarantined" if became == "quarantined" else "duplicates"] += waiting.copies
        return "applied"

    def same(self, event, raw, place):
        other = self.line_at(place)
        return other == raw or content_of(read_event(other, place)) == content_of(event)

    def wait(self, event, raw, key, wanted):
        known = self.waiting_keys.setdefault(key, [])
        for other in known:
            if content_of(other.event) == content_of(event):
                other.copies += 1  # counted when the first is resolved
                return "waiting"
        known.append(Waiting(event, raw))
        self.waiting.setdefault(wanted, []).append(known[-1])
        return "waiting"

    def set_aside(self, raw, cause):
        self.quarantine[raw[: MAX_LINE + 1]] = cause

    def finish(self):
        for events in self.waiting.values():
            for waiting in events:
                self.set_aside(waiting.raw, "target_not_found")
                self.counts["quarantined"] += 1 + waiting.copies
        self.counts.pop("waiting", None)

    # ---- What each type does ---------------------------------------------------------------------------------

    def post(self, *moves):
        """Moves money between accounts, all or nothing; returns why not. Only merchants have a limit: zero."""
        after = {}
        for move in moves:
            for slot in (0, 1):
                name = move[slot]
                if name not in after:
                    after[name] = self.account(name).copy()
                after[name][slot] += move[2]
        for totals in after.values():
            if max(totals) > MAX_AMOUNT or totals[0] + totals[2] > MAX_AMOUNT:
                return "total_overflow"
        for name, totals in after.items():
            if name.startswith("merchant:"):
                debits, credits, held, _ = self.accounts[name]
                available = totals[1] - totals[0] - totals[2]
                if available < 0 and available < credits - debits - held:
                    return "insufficient_funds"
        self.accounts.update(after)
        return None

    def hold(self, event, other):
        mine, theirs = self.account(merchant_of(event)), self.account(other)
        if mine[0] + mine[2] + event.units > MAX_AMOUNT or theirs[3] + event.units > MAX_AMOUNT:
            return "total_overflow"
        if mine[1] - mine[0] - mine[2] < event.units:
            return "insufficient_funds"
        mine[2] += event.units
        theirs[3] += event.units
        self.applied[event[:2]] = Hold(merchant_of(event), other, event.units)
        return None

    def captured(self, event, _):
        merchant, processor, fees = merchant_of(event), "processor:" + event.asset, "platform:fees:" + event.asset
        moves = [(processor, merchant, event.units)]
        if event.fee:
            moves.append((merchant, fees, event.fee))
        refused = self.post(*moves)
        if not refused:
            # What can still be moved back, by the posting that would do it.
            self.applied[event[:2]] = {(credit, debit): amount for debit, credit, amount in moves}
        return refused

    def refunded(self, event, left):
        merchant, processor, fees = merchant_of(event), "processor:" + event.asset, "platform:fees:" + event.asset
        moves = [(merchant, processor, event.units)]
        if event.fee:
            moves.append((fees, merchant, event.fee))
        if any(move[:2] not in left for move in moves):
            return "target_mismatch"
        if not any(left.values()):
            return "target_resolved"
        if any(move[2] > left[move[:2]] for move in moves):
            return "exceeds_target"
        refused = self.post(*moves)
        if not refused:
            for debit, credit, amount in moves:
                left[debit, credit] -= amount
        return refused

    def opened(self, event, _):
        return self.hold(event, "processor:" + event.asset)

    def requested(self, event, _):
        return self.hold(event, "bank:clearing:" + event.asset)

    def ended(self, event, hold):
        """A hold is captured, and the rest released; or all is released."""
        if hold.remaining == 0:
            return "target_resolved"
        amount = 0
        if event.code in (LOST, PAID):
            amount = event.units or hold.remaining
            if amount > hold.remaining:
                return "exceeds_target"
        mine, theirs = self.account(hold.merchant), self.account(hold.other)
        if mine[0] + amount > MAX_AMOUNT or theirs[1] + amount > MAX_AMOUNT:
            return "total_overflow"
        mine[2] -= hold.remaining
        theirs[3] -= hold.remaining
        mine[0] += amount
        theirs[1] += amount
        hold.paid, hold.released, hold.remaining, hold.end = amount, hold.remaining - amount, 0, event.code
        if event.code == PAID:
            self.applied[event[:2]] = hold
        return None

    def returned(self, event, hold):
        left = hold.paid - hold.returned
        if event.units is not None and (hold.merchant, hold.other) != (merchant_of(event), "bank:clearing:" + event.asset):
            return "target_mismatch"
        if left == 0:
            return "target_resolved"
        amount = event.units or left
        if amount > left:
            return "exceeds_target"
        refused = self.post((hold.other, hold.merchant, amount))
        if not refused:
            hold.returned += amount
        return refused

    def adjusted(self, event, _):
        merchant, platform = merchant_of(event), "platform:adjustments:" + event.asset
        if event.direction == "CREDIT":
            return self.post((platform, merchant, event.units))
        return self.post((merchant, platform, event.units))

    # ---- Results ---------------------------------------------------------------------------------------------

    def payouts(self):
        """payout id -> (state, requested, paid, released, returned)."""
        found = {subject: ("rejected", 0, 0, 0, 0) for subject in self.refused_payouts}
        for (code, subject), hold in self.applied.items():
            if code != REQUESTED:
                continue
            state = {None: "requested", PAID: "paid", FAILED: "failed", CANCELED: "canceled"}[hold.end]
            if hold.returned:
                state = "returned"
            found[subject] = (state, hold.amount, hold.paid, hold.released, hold.returned)
        return found


def merchant_of(event):
    return f"merchant:{event.merchant}:available:{event.asset}"


APPLY = {CAPTURED: Books.captured, REFUNDED: Books.refunded, OPENED: Books.opened, LOST: Books.ended, WON: Books.ended,
         REQUESTED: Books.requested, PAID: Books.ended, FAILED: Books.ended, CANCELED: Books.ended,
         RETURNED: Books.returned, ADJUSTMENT: Books.adjusted}


def count(path):
    """Books and number of events of a file."""
    with open(path, "rb") as file:
        file.seek(0, 2)
        if file.tell() == 0:
            return Books(lambda place: b""), 0
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def line_at(place):
        end = data.find(b"\n", place)
        line = data[place : len(data) if end < 0 else end]
        return line[:-1] if line.endswith(b"\r") else line

    books = Books(line_at)
    counts, take = books.counts, books.take
    events = place = 0
    for line in iter(data.readline, b""):
        raw = line.rstrip(b"\n")
        if raw.endswith(b"\r"):
            raw = raw[:-1]
        if raw:
            events += 1
            try:
                event = read_event(raw, place)
            except Malformed:
                books.set_aside(raw, "malformed")
                counts["quarantined"] += 1
            else:
                counts[take(event, raw)] += 1
        place += len(line)
    books.finish()
    return books, events


class Differences:
    def __init__(self):
        self.number = 0
        self.examples = []

    def note(self, what, expected, found):
        if expected == found:
            return
        self.number += 1
        if len(self.examples) < 20:
            self.examples.append({"what": what, "expected": expected, "found": found})


def compare(books, dump):
    """Everything that differs; and payouts that the dump itself shows to be paid twice or for too much."""
    differ = Differences()
    slots = ("debits_posted", "credits_posted", "debits_held", "credits_held")
    accounts = dump["accounts"]
    for name in sorted(books.accounts.keys() | accounts.keys()):
        found = [int(accounts[name][slot]) for slot in slots] if name in accounts else [0, 0, 0, 0]
        differ.note("account " + name, [str(v) for v in books.accounts.get(name, [0, 0, 0, 0])], [str(v) for v in found])

    expected, double = books.payouts(), 0
    paid_by_asset = collections.Counter()
    for name in sorted(expected.keys() | dump["payouts"].keys()):
        found = dump["payouts"].get(name)
        if found is not None:
            requested, paid, released, returned = (int(found[k]) for k in ("requested", "paid", "released", "returned"))
            double += int(found["captures"]) > 1 or int(found["holds"]) > 1 or paid + released > requested
            if paid:
                paid_by_asset[found["asset"]] += paid
            found = [found["state"], str(requested), str(paid), str(released), str(returned)]
        wanted = expected.get(name)
        differ.note("payout " + name, wanted and [str(v) for v in wanted], found)
    # What left through the bank is what was paid out, whatever the payouts say one by one.
    for name, totals in accounts.items():
        if name.startswith("bank:clearing:"):
            asset = name[len("bank:clearing:"):]
            differ.note("paid out in " + asset, str(paid_by_asset[asset]), totals["credits_posted"])
    # Every asset sums to zero.
    for slot_a, slot_b in (slots[:2], slots[2:]):
        sums = collections.Counter()
        for totals in accounts.values():
            sums[totals["asset"]] += int(totals[slot_a]) - int(totals[slot_b])
        for asset, rest in sums.items():
            differ.note(f"sum of {slot_a} less {slot_b} in {asset}", 0, rest)

    differ.note("applied", dict(books.applied_by_type), dump["transactions"]["applied"])
    differ.note("rejected", dict(books.rejected_by_reason), dump["transactions"]["rejected"])
    differ.note("quarantine", dict(collections.Counter(books.quarantine.values())), dump["quarantine"])
    return differ, double, len(books.accounts.keys() | accounts.keys()), len(expected)


def main(arguments):
    if len(arguments) not in (1, 2) or arguments[0] in ("-h", "--help"):
        print(__doc__, file=sys.stderr)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    gc.disable()  # millions of small objects and no cycles: looking for those would take a third of the time
    try:
        books, events = count(arguments[0])
        dump = None
        if len(arguments) == 2:
            with open(arguments[1], encoding="utf-8") as file:
                dump = json.load(file)
    except (OSError, ValueError) as error:
        print(f"recount: {error}", file=sys.stderr)
        return 2
    causes = collections.Counter(books.quarantine.values())
    states = collections.Counter(payout[0] for payout in books.payouts().values())
    rejected = {k: v for k, v in books.rejected_by_reason.items() if k != "reference_used"}
    result = {
        "events": events,
        "unique": books.counts["applied"] + books.counts["rejected"] + causes["target_not_found"],
        "applied": books.counts["applied"],
        "duplicates": books.counts["duplicates"],
        "already_settled": books.counts["already_settled"],
        "rejected": dict(sorted(rejected.items())),
        "quarantine": dict(sorted(causes.items())),
        "payouts": dict(sorted(states.items())),
    }
    agrees = True
    if dump is not None:
        differ, double, accounts, payouts = compare(books, dump)
        agrees = differ.number == 0 and double == 0
        result.update({"accounts_compared": accounts, "payouts_compared": payouts, "double_payouts": double,
                       "discrepancies": differ.number, "differences": differ.examples, "agrees": agrees})
    print(json.dumps(result))
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
