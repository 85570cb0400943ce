#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reference server from outside: what `scripts/demo` plays after the main job, and `scripts/demo --serve` leaves running.

    demo.py --server PROGRAM --dir DIR [--payments N] [--seed N] [--serve] [--port N]

Starts the server on an empty directory and does all of the rest through its HTTP API: keys, endpoints, payments of a week posted by several
clients at once with copies among them, a kill in between (kill -9), payouts that a simulated bank executes, webhooks that a broken receiver
refuses until it is repaired, a parallel run whose gate opens. What it must come to is computed here, without the library. The last line is one JSON
object; exit status 0 only if all is as it must be. --serve: then goes on, with a payment now and then, until Ctrl-C.

Python's standard library only.
"""
import argparse
import concurrent.futures
import json
import pathlib
import random
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from receiver import Receiver  # noqa: E402
from sample import SHOPS, Sample, decimal  # noqa: E402
from server import ApiError, Client, Server  # noqa: E402

CLIENTS = 8
PART = 50  # events in one request
COPIES = 0.3
ENDS = {"paid", "failed"}
PATIENCE = 120
MAPPING = {"row_id": "line", "leg": "kind", "legs": {"CAP": "capture", "REF": "refund", "PAY": "payout"}, "id": "id", "refund_id": "refund",
           "merchant_id": "merchant", "asset": "currency", "assets": {asset.split("/")[0]: asset for asset in SHOPS.values()},
           "amount": "amount", "fee": "fee", "status": "status", "statuses": {"OK": "settled", "PAID": "paid", "FAIL": "failed"}, "day": "day"}
COLUMNS = ["line", "kind", "id", "refund", "merchant", "currency", "amount", "fee", "status", "day"]


class Wrong(Exception):
    """Something is not as it must be."""


def say(what):
    print(f"\n== {what}", flush=True)


def line(what, value):
    print(f"  {what:<58}{value:>16,}" if isinstance(value, int) else f"  {what:<58}{value:>16}", flush=True)


def until(what, condition):
    """Looks again and again; what `condition` says when it is not false."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Wrong(f"{what}: not within {PATIENCE} seconds")
        time.sleep(0.05)
    return found


class Story:
    def __init__(self, options):
        self.options = options
        self.dir = pathlib.Path(options.dir)
        mapping = self.dir / "mapping.json"
        mapping.write_text(json.dumps(MAPPING), encoding="utf-8")
        self.sample = Sample(options.seed, options.payments)
        self.random = random.Random(options.seed)
        self.server = Server(options.server, self.dir / "server", "--plain-cookies", "--webhooks-to-loopback", "--compare-mapping", str(mapping),
                             "--gate-days", "3", "--bank-seed", str(options.seed), port=options.port)
        self.receivers = {shop: Receiver() for shop in SHOPS}
        self.figures = {}
        self.wrong = []

    def must(self, what, holds):
        if not holds:
            self.wrong.append(what)

    def play(self):
        for step in (self.begin, self.settle, self.pay_out, self.watch, self.repair, self.compare, self.end):
            step()
        return self.figures

    # ---- Keys and endpoints

    def begin(self):
        say("Starting the server on an empty directory, and making keys and endpoints")
        self.server.start()
        self.operator = Client(self.server, self.server.key)
        made = self.operator.post("/v1/operator/keys", {"name": "events", "scopes": ["events:write"]})
        self.events_key = made["key"]
        self.endpoints = {}
        for shop, receiver in self.receivers.items():
            # One attempt: what the broken one refuses is a dead letter at once, and its breaker stays closed.
            self.operator.ask("PUT", f"/v1/merchants/{shop}/policy", {"retry": {"delays_seconds": [0]}})
            made = self.operator.post(f"/v1/merchants/{shop}/endpoints", {"url": receiver.url, "events": ["payout.*"]})
            receiver.secret = made["secret"]
            self.endpoints[shop] = made["endpoint"]["id"]
            print(f"  {shop:<10} has {SHOPS[shop]}, and is told of its payouts")
        self.receivers["bookshop"].broken = True
        print("  (the bookshop's server is broken)")

    # ---- Payments

    def settle(self):
        sample = self.sample
        say(f"Posting a week of payments from {CLIENTS} clients at once, with copies, killing the server in between (kill -9)")
        outcomes = {}
        for events in (sample.first, sample.then):
            copies = self.random.sample(events, int(len(events) * COPIES))
            mixed = events + copies
            self.random.shuffle(mixed)
            outcomes = self.post_all(mixed, outcomes, kill=events is sample.first)
        unique = len(sample.first) + len(sample.then)
        applied = sum(counts.get("applied", 0) for counts in outcomes.values())
        duplicates = sum(counts.get("duplicate", 0) for counts in outcomes.values())
        self.must("every event is applied once, or found done after the kill", len(outcomes) == unique and all(
            set(counts) <= {"applied", "duplicate"} and counts.get("applied", 0) <= 1 for counts in outcomes.values()))
        bad = Client(self.server, self.events_key).ask("POST", "/v1/events", lines=['{"type":"PAYMENT_CAPTURED"}', "what is this?"])
        self.must("what is no event is in quarantine", [o["status"] for o in bad] == ["quarantined"] * 2)
        line("events posted, with copies", applied + duplicates)
        line("different events", unique)
        line("copies recognised, and those found done after the kill", duplicates)
        line("put in quarantine", len(list(self.operator.pages("/v1/operator/quarantine"))))
        for shop, asset in SHOPS.items():
            found = self.balance(shop)["available"]
            self.must(f"{shop} has {sample.available[shop]}, not {found}", int(found) == sample.available[shop])
            scale = int(asset.split("/")[1])
            line(f"{shop} can have paid out, {asset.split('/')[0]}", decimal(int(found), scale))
        self.figures |= {"events": unique, "posted": applied + duplicates, "duplicates": duplicates, "quarantined": 2}

    def post_all(self, events, outcomes, kill):
        parts = [events[i:i + PART] for i in range(0, len(events), PART)]
        killer = threading.Event()
        done = []

        def post(share):
            client = Client(self.server, self.events_key)
            for part in share:
                # Not answered, or not now: the same again. Nothing of it is done twice.
                while True:
                    try:
                        answers = client.ask("POST", "/v1/events", lines=part)
                        break
                    except ApiError as error:
                        if error.status != 503:
                            raise
                    except OSError:
                        pass
                    time.sleep(0.05)
                done.append(list(zip(part, answers, strict=True)))
                if len(done) * 2 >= len(parts):
                    killer.set()
            client.close()

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            working = [pool.submit(post, parts[i::CLIENTS]) for i in range(CLIENTS)]
            if kill:
                while not killer.wait(0.05) and not all(work.done() for work in working):
                    pass
                self.server.kill()
                line("events acknowledged when it was killed", sum(map(len, done)))
                self.server.start()
                self.operator.close()
            for work in working:
                work.result()
        for part in done:
            for event, answer in part:
                counts = outcomes.setdefault(event, {})
                counts[answer["status"]] = counts.get(answer["status"], 0) + 1
        return outcomes

    def balance(self, shop):
        (balance,) = self.operator.get(f"/v1/merchants/{shop}/balances")["balances"]
        return balance

    # ---- Payouts and webhooks

    def pay_out(self):
        payouts = self.sample.payouts
        say(f"Asking for {len(payouts)} payouts; the bank times out, delays and refuses")
        answers = Client(self.server, self.events_key).ask("POST", "/v1/events", lines=[event for *_, event in payouts])
        self.must("every payout is taken", all(answer["status"] == "applied" for answer in answers))
        self.states = until("payouts come to their end", self.ended)
        count = list(self.states.values()).count
        line("paid", count("paid"))
        line("refused by the bank, money given back", count("failed"))
        for shop in SHOPS:
            paid = sum(units for id, of, units, *_ in payouts if of == shop and self.states[id] == "paid")
            found = int(self.balance(shop)["available"])
            self.must(f"{shop} has what was not paid out", found == self.sample.available[shop] - paid)
        self.figures |= {"payouts": len(payouts), "paid": count("paid"), "failed": count("failed")}

    def ended(self):
        states = {payout["payout_id"]: payout["state"] for shop in SHOPS for payout in self.operator.pages(f"/v1/merchants/{shop}/payouts")}
        return states if len(states) == len(self.sample.payouts) and set(states.values()) <= ENDS else None

    def watch(self):
        say("A payout as a merchant sees it, live")
        stream = Client(self.server, self.server.key).watch("/v1/merchants/bakery/live")
        timer = threading.Timer(PATIENCE, stream.close)
        timer.start()
        id = "po_bakery_today"
        event = self.sample.event("PAYOUT_REQUESTED", "bakery", self.sample.now.strftime("%Y-%m-%dT%H:%M:%SZ"), 1234, payout_id=id)
        Client(self.server, self.events_key).ask("POST", "/v1/events", lines=[event])
        seen = []
        for name, data in stream:
            text = json.dumps(data)
            if id not in text:
                continue
            print(f"  {name:<14} {text[:110]}")
            seen.append(text)
            if any(end in text for end in ("PAYOUT_PAID", "PAYOUT_FAILED", "payout_paid", "payout_failed")):
                break
        timer.cancel()
        stream.close()
        self.must("a payout is seen from its request to its end", len(seen) >= 2)
        for moment in self.operator.get(f"/v1/merchants/bakery/payouts/{id}")["timeline"]:
            print(f"  {moment['at']}  {moment['what']} {moment['detail']}")

    def deliveries(self, shop, state):
        return list(self.operator.pages(f"/v1/merchants/{shop}/deliveries?state={state}"))

    def repair(self):
        say("Webhooks: the bookshop repairs its server, sends one again, and then all")
        until("the bookshop's deliveries are given up", lambda: not self.deliveries("bookshop", "pending") or self.breaker_open())
        dead = self.deliveries("bookshop", "dead")
        line("the bookshop's dead letters", len(dead))
        self.receivers["bookshop"].broken = False
        endpoint, one = self.endpoints["bookshop"], dead[0]["message_id"]
        path = f"/v1/merchants/bookshop/deliveries/{endpoint}/{one}"
        self.operator.post(f"{path}/resend")
        until("what was sent again is delivered", lambda: self.operator.get(path)["state"] == "delivered")
        print(f"  {dead[0]['type']} {one}: sent again, delivered")
        line("redriven", self.operator.post(f"/v1/merchants/bookshop/endpoints/{endpoint}/redrive")["redriven"])
        until("all webhooks are delivered", lambda: not any(self.deliveries(shop, state) for shop in SHOPS for state in ("pending", "dead")))
        delivered = unsigned = refused = 0
        for shop, receiver in self.receivers.items():
            ids = {delivery["message_id"] for delivery in self.deliveries(shop, "delivered")}
            self.must(f"{shop} has what was delivered", ids == set(receiver.messages))
            # One when it is asked for, one when it has its end.
            payouts = sum(of == shop for _, of, *_ in self.sample.payouts) + (shop == "bakery")
            self.must(f"{shop} was told of each payout's end", sum(kind in ("payout.paid", "payout.failed") for kind in receiver.messages.values()) == payouts)
            delivered, unsigned, refused = delivered + len(ids), unsigned + receiver.unsigned, refused + receiver.refused
        line("webhooks delivered, signatures verified", delivered)
        line("refused while it was broken", refused)
        self.must("every signature verifies", unsigned == 0)
        self.figures |= {"webhooks_delivered": delivered, "webhooks_refused": refused, "signature_failures": unsigned}

    def breaker_open(self):
        return self.operator.get(f"/v1/merchants/bookshop/endpoints/{self.endpoints['bookshop']}")["health"].get("breaker", "") == "open"

    # ---- The parallel run

    def compare(self):
        say("The parallel run: a batch has the same week, with one amount that is wrong")
        for id, shop, units, day, _ in self.sample.payouts:
            self.sample.row("PAY", id, shop, units, None, "PAID" if self.states[id] == "paid" else "FAIL", day)
        rows = self.sample.rows
        spoiled = self.random.choice([row for row in rows if row["kind"] == "CAP"])
        right, spoiled["amount"] = spoiled["amount"], "1" + spoiled["amount"]
        self.send_rows(rows)
        days = sorted({row["day"] for row in rows})
        for day in days:
            self.close_day(day)
        found = list(self.operator.pages("/v1/operator/parallel-run/discrepancies?state=open"))
        self.must("the wrong amount, and nothing else, is found", [one["id"] for one in found] == [f"capture:{spoiled['id']}"])
        gate = self.operator.get("/v1/operator/parallel-run/gate")
        self.must("the gate is shut then", not gate["open"])
        for one in found:
            print(f"  {one['id']}: {one['detail']}")
        print(f"  the gate is shut: {gate['reasons'][0] if gate['reasons'] else ''}")
        spoiled["amount"] = right
        self.send_rows([spoiled])
        compared = sum(self.close_day(day) for day in days)
        gate = self.operator.get("/v1/operator/parallel-run/gate")
        self.must("the gate is open when it is mended", gate["open"])
        line("rows compared", compared)
        print(f"  mended; the gate is {'open' if gate['open'] else 'SHUT: ' + '; '.join(gate['reasons'])}")
        self.figures |= {"compared": compared, "found_wrong": len(found), "gate_open": gate["open"]}

    def send_rows(self, rows):
        for first in range(0, len(rows), 5000):
            self.operator.post("/v1/operator/parallel-run/rows", {
                "source": "batch", "columns": COLUMNS, "rows": [[row[column] for column in COLUMNS] for row in rows[first:first + 5000]]})

    def close_day(self, day):
        totals = {}
        for row in self.sample.rows:
            if row["day"] == day:
                total = totals.setdefault(row["asset"], [0, 0])
                total[0] += 1
                total[1] += row["units"] + self.spoilt(row)
        expected = {asset: {"count": count, "sum": str(units)} for asset, (count, units) in totals.items()}
        figures = self.operator.post(f"/v1/operator/parallel-run/days/{day}/close", {"expected": expected})
        self.must(f"{day} has all of its rows", figures["totals_told"] and not figures["incomplete"])
        return sum(sides["ours"]["matched"]["count"] for sides in figures["assets"].values())

    @staticmethod
    def spoilt(row):
        """What the batch's total has more because of a wrong amount."""
        says = int(row["amount"].replace(".", ""))
        return says - abs(row["units"])

    # ---- The end

    def end(self):
        say("Verifying the ledger, and a backup")
        verified = self.operator.post("/v1/operator/verify")
        backup = self.operator.post("/v1/operator/backup", {"name": "demo"})
        line("journal records verified", int(verified.get("transactions", verified.get("records", 0))))
        print(f"  backup in {backup['directory']}")
        log = list(self.operator.pages("/v1/operator/audit-log"))
        line("lines in the audit log, chained by hash", len(log))
        self.must("nothing went wrong inside the server", not self.server.errors)
        self.figures |= {"audit_lines": len(log), "server_errors": len(self.server.errors), "address": self.server.address}


def serve(story):
    """Until Ctrl-C: a payment now and then, and new links for Enter."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    client = Client(story.server, story.events_key)

    def links():
        print("\n  The portal, each link good for one sign-in within ten minutes:")
        for shop in SHOPS:
            print(f"    {shop:<10} {story.operator.post('/v1/portal-links', {'merchant_id': shop})['url']}")
        print(f"  The console of operators: {story.server.address}/console   with this key:\n    {story.server.key}")
        print("  Enter: new links. Ctrl-C: the end.", flush=True)

    def read():
        for _ in sys.stdin:
            if ended.is_set():
                return
            wanted.set()

    wanted = threading.Event()
    threading.Thread(target=read, daemon=True).start()
    links()
    number = 0
    while not ended.wait(2):
        if wanted.is_set():
            wanted.clear()
            links()
        number += 1
        shop, now = story.random.choice(list(SHOPS)), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        units = story.random.randrange(500, 20_000)
        client.ask("POST", "/v1/events", lines=[story.sample.event("PAYMENT_CAPTURED", shop, now, units, units * 29 // 1000, payment_id=f"live_{number}")])
        if number % 5 == 0:
            client.ask("POST", "/v1/events", lines=[story.sample.event("PAYOUT_REQUESTED", shop, now, 500, payout_id=f"live_po_{number}")])
    client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the program")
    parser.add_argument("--dir", required=True, help="for everything that it makes; must be there")
    parser.add_argument("--payments", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--port", type=int, default=0, help="to listen on; 0: one that is free")
    options = parser.parse_args()
    if options.payments < 400:
        parser.error("--payments must be at least 400")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    story = Story(options)
    try:
        with story.server:
            figures = story.play()
            if options.serve and not story.wrong:
                serve(story)
            story.must("the server ends in order", story.server.stop() == 0)
    except (Wrong, ApiError, RuntimeError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        for receiver in story.receivers.values():
            receiver.close()
    for what in story.wrong:
        print(f"  NOT SO: {what}")
    figures |= {"agrees": not story.wrong, "seconds": round(time.monotonic() - start, 1)}
    print("\n" + ("Everything agrees." if not story.wrong else "SOMETHING IS WRONG.") + "\n")
    print(json.dumps(figures))
    return 0 if not story.wrong else 1


if __name__ == "__main__":
    sys.exit(main())
