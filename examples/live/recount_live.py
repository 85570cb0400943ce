#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts again, on its own, what `live` must have done: to balances, at the bank, and in messages to merchants.

    recount_live.py --before DUMP --events FILE --rail FILE --plan FILE --secrets FILE --received FILE --deliveries FILE
                    --report FILE --after DUMP

before      what the ledger held before (settle --dump), payouts that were still open included
events      what `live run` was given
rail        the books of the simulated bank
plan        the endpoints, as given to `live endpoints`; secrets: what that printed
received    what arrived, told by the receivers (receivers --log)
deliveries  what the sender says became of each message
report      what `live run` said at its end
after       what the ledger holds now

Like recount.py, whose rules it uses, it shares no code with the library, and it never looks at the journal: which messages must
have been sent follows from the events and from what the bank did (docs/webhooks.md). One JSON object on standard output; exit
status 0 if all agrees, 1 if something differs, 2 if a file cannot be read.
"""
import argparse
import base64
import collections
import hashlib
import hmac
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import recount  # noqa: E402

# What merchants are told: of an event that was applied, and of one that was refused.
TYPES = {
    recount.CAPTURED: ("payment.captured", "payment.capture_rejected"),
    recount.REFUNDED: ("payment.refunded", "payment.refund_rejected"),
    recount.REQUESTED: ("payout.requested", "payout.rejected"),
    recount.PAID: ("payout.paid", None),
    recount.FAILED: ("payout.failed", None),
}

# Of a message: whose, its type, what it is about, and how much.
News = collections.namedtuple("News", "merchant type subject asset units")
Endpoint = collections.namedtuple("Endpoint", "merchant policy patterns")


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().split("\n") if line]


def books_of(before, events):
    """The books as they stood before: accounts, and open payouts."""
    books = recount.Books(events.__getitem__)
    slots = ("debits_posted", "credits_posted", "debits_held", "credits_held")
    for name, totals in before["accounts"].items():
        books.accounts[name] = [int(totals[slot]) for slot in slots]
    for payout_id, payout in before["payouts"].items():
        if payout["state"] == "requested":
            clearing = "bank:clearing:" + payout["asset"]
            hold = recount.Hold(payout["account"], clearing, int(payout["requested"]))
            books.applied[recount.REQUESTED, payout_id] = hold
    return books


def apply_events(books, events):
    """What merchants must be told of them."""
    news = []
    for place, raw in enumerate(events):
        event = recount.read_event(raw, place)
        became = books.take(event, raw)
        books.counts[became] += 1
        if became in ("applied", "rejected"):
            kind = TYPES[event.code][became == "rejected"]
            news.append(News(event.merchant, kind, event.subject, event.asset, event.units))
    books.finish()
    return news


def apply_rail(books, path, differ):
    """What merchants must be told of what the bank did, and how often it executed something. Each open payout is executed or refused
    for good, once; nothing else is."""
    news, executions = [], 0
    ends = collections.defaultdict(list)
    for line in lines_of(path):
        what, _, asset, units, payout_id = line.split()
        if what in "EF":
            ends[payout_id].append((what, asset, int(units)))
            executions += what == "E"
    holds = {subject: hold for (code, subject), hold in books.applied.items() if code == recount.REQUESTED}
    for payout_id in sorted(holds.keys() | ends.keys()):
        hold, found = holds.get(payout_id), ends.get(payout_id, [])
        if hold is None or len(found) != 1:
            differ.note("the bank's ends of payout " + payout_id, 1 if hold else 0, len(found))
            continue
        asset = hold.other[len("bank:clearing:"):]
        differ.note("what the bank was told of payout " + payout_id, [asset, hold.amount], list(found[0][1:]))
        code = recount.PAID if found[0][0] == "E" else recount.FAILED
        merchant = hold.merchant.split(":")[1]
        event = recount.Event(code, payout_id, 0, merchant, None, None, 0, None, None, None, 0)
        differ.note("end of payout " + payout_id, None, books.ended(event, hold))
        books.applied_by_type[recount.NAMES[code]] += 1
        news.append(News(merchant, TYPES[code][0], payout_id, asset, hold.amount))
    return news, executions


def compare_ledger(books, before, after, differ):
    """Accounts, payouts and counts; and payouts that the ledger itself shows to be paid twice or for too much."""
    slots = ("debits_posted", "credits_posted", "debits_held", "credits_held")
    for name in sorted(books.accounts.keys() | after["accounts"].keys()):
        found = after["accounts"].get(name)
        expected = [str(value) for value in books.accounts.get(name, [0, 0, 0, 0])]
        differ.note("account " + name, expected, [found[slot] for slot in slots] if found else None)
    expected, double = books.payouts(), 0
    for payout_id in sorted(before["payouts"].keys() | expected.keys() | after["payouts"].keys()):
        found = after["payouts"].get(payout_id)
        if found is None:
            differ.note("payout " + payout_id, "there", "missing")
            continue
        requested, paid, released, returned = (int(found[k]) for k in ("requested", "paid", "released", "returned"))
        double += found["captures"] > 1 or found["holds"] > 1 or paid + released > requested
        if payout_id in expected:
            differ.note("payout " + payout_id, list(expected[payout_id]),
                        [found["state"], requested, paid, released, returned])
        else:
            differ.note("payout " + payout_id, before["payouts"][payout_id], found)
    for what, counted in (("applied", books.applied_by_type), ("rejected", books.rejected_by_reason)):
        total = collections.Counter(before["transactions"][what]) + counted
        differ.note(what, dict(total), after["transactions"][what])
    differ.note("quarantine", before["quarantine"], after["quarantine"])
    return double


def read_plan(path):
    plan = {}
    for line in lines_of(path):
        merchant, name, _, policy, *patterns = line.split()
        plan[name] = Endpoint(merchant, policy, patterns)
    return plan


def wants(endpoint, news):
    return endpoint.merchant == news.merchant and any(
        pattern in ("*", news.type) or pattern.endswith(".*") and news.type.startswith(pattern[:-1])
        for pattern in endpoint.patterns)


def is_signed(arrival, secret):
    """Standard Webhooks, v1."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{arrival['id']}.{arrival['timestamp']}.{arrival['body']}"
    mine = "v1," + base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
    return mine in arrival["signature"].split(" ")


def read_news(body):
    fields = json.loads(body)
    data = fields["data"]
    subject = data.get("payout_id") or data["payment_id"]
    if "refund_id" in data:
        subject += "/" + data["refund_id"]
    return News(data["merchant_id"], fields["type"], subject, data["amount"]["asset"], int(data["amount"]["units"]))


def compare_webhooks(plan, news, files, differ):
    """Counts of messages and deliveries; a delivery is one message to one endpoint."""
    expected = collections.Counter((name, one) for name, endpoint in plan.items() for one in news if wants(endpoint, one))
    secrets = dict(line.split()[1:] for line in lines_of(files.secrets))

    counts = collections.Counter()
    told, acknowledged, bodies, needless = collections.Counter(), set(), {}, set()
    for line in lines_of(files.received):
        arrival = json.loads(line)
        name = arrival["receiver"]
        this = name, arrival["id"]
        counts["arrived"] += 1
        if not arrival["verified"] or not is_signed(arrival, secrets[name]):
            counts["signature_failures"] += 1
        counts["repeated"] += this in bodies
        if this in acknowledged:
            needless.add(this)
        if this not in bodies:
            bodies[this] = arrival["body"]
            told[name, read_news(arrival["body"])] += 1
        elif bodies[this] != arrival["body"]:
            differ.note("body of " + " ".join(this), bodies[this], arrival["body"])
        if 200 <= arrival["answer"] < 300:
            acknowledged.add(this)
    for what in sorted(expected.keys() | told.keys()):
        differ.note(f"messages about {what}", expected[what], told[what])

    states = collections.defaultdict(set)
    for line in lines_of(files.deliveries):
        delivery = json.loads(line)
        states[delivery["state"]].add((delivery["endpoint"], delivery["id"]))
        counts["deliveries"] += 1
        counts["attempts"] += delivery["attempts"]
        counts["retried"] += delivery["attempts"] > 1
    differ.note("deliveries that the sender knows", sum(expected.values()), counts["deliveries"])
    differ.note("states of deliveries", [], sorted(states.keys() - {"delivered", "dead"}))
    differ.note("delivered but not acknowledged", 0, len(states["delivered"] - acknowledged))
    differ.note("acknowledged but not delivered", 0, len(acknowledged - states["delivered"]))
    given_up = collections.Counter(name for name, _ in states["dead"] if plan[name].policy != "short")
    differ.note("given up where the policy is patient", {}, dict(given_up))
    differ.note("expected less delivered and dead", 0, sum(expected.values()) - len(acknowledged) - len(states["dead"]))
    differ.note("signature failures", 0, counts["signature_failures"])
    # What a receiver has acknowledged comes again (and at a flaky one then perhaps several times) only if the sender did not
    # live to read the answer, or gave up waiting for it.
    with open(files.report, encoding="utf-8") as file:
        attempts = json.load(file)["attempts"]
    failures = collections.Counter()
    repeated = collections.Counter(name for name, _ in needless)
    for name in sorted(attempts.keys() | repeated.keys()):
        ends = attempts.get(name, {})
        failures.update(ends)
        differ.note(f"messages repeated at {name} beyond answers that were lost", 0,
                    max(0, repeated[name] - ends.get("unknown", 0) - ends.get("timeout", 0)))
    differ.note("attempts", counts["attempts"], failures.total())
    del failures["none"]
    return {"webhooks_expected": sum(expected.values()), "webhooks_delivered": len(acknowledged),
            "webhooks_dead": len(states["dead"]), "webhooks_retried": counts["retried"], "attempts": counts["attempts"],
            "failures": dict(sorted(failures.items())), "arrived": counts["arrived"], "repeated": counts["repeated"],
            "repeated_after_acknowledged": len(needless),
            "signature_failures": counts["signature_failures"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("before", "events", "rail", "plan", "secrets", "received", "deliveries", "report", "after"):
        parser.add_argument("--" + name, required=True)
    files = parser.parse_args()
    try:
        with open(files.before, encoding="utf-8") as file:
            before = json.load(file)
        with open(files.after, encoding="utf-8") as file:
            after = json.load(file)
        events = [line.encode() for line in lines_of(files.events)]
        differ = recount.Differences()
        books = books_of(before, events)
        opened = len(books.applied)
        news = apply_events(books, events)
        told, executions = apply_rail(books, files.rail, differ)
        double = compare_ledger(books, before, after, differ)
        result = compare_webhooks(read_plan(files.plan), news + told, files, differ)
    except (OSError, ValueError, KeyError, recount.Malformed) as error:
        print(f"recount_live: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    states = collections.Counter(payout[0] for payout in books.payouts().values())
    result = {"events": len(events), "outcomes": dict(sorted(books.counts.items())), "payouts_open_before": opened,
              "payouts": dict(sorted(states.items())), "rail_executions": executions, **result, "double_payouts": double,
              "discrepancies": differ.number, "differences": differ.examples, "agrees": differ.number == 0 and double == 0}
    print(json.dumps(result))
    return 0 if result["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
