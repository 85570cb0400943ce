# SPDX-License-Identifier: Apache-2.0
"""What the mock of the API has to tell: one merchant's money, endpoints and deliveries, and an operator's view, all from a seed."""

import copy
import datetime
import json
import random

MERCHANT = "m_northsea_coffee"
OPERATOR_KEY = "nwk_key_0011223344556677_" + "ab" * 32
TYPES = [
    "adjustment.applied",
    "adjustment.rejected",
    "dispute.loss_rejected",
    "dispute.lost",
    "dispute.open_rejected",
    "dispute.opened",
    "dispute.win_rejected",
    "dispute.won",
    "endpoint.disabled",
    "payment.capture_rejected",
    "payment.captured",
    "payment.refund_rejected",
    "payment.refunded",
    "payout.cancel_rejected",
    "payout.canceled",
    "payout.failed",
    "payout.failure_rejected",
    "payout.paid",
    "payout.payment_rejected",
    "payout.rejected",
    "payout.requested",
    "payout.return_rejected",
    "payout.returned",
    "webhook.test",
]
STAGES = [500, 2500, 10000]


def money(units, asset="USD/2"):
    return {"asset": asset, "units": str(units)}


class Data:
    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self.sequence = 48210
        self.transactions = []  # newest last
        self.payouts = []  # newest first
        self.resent = []
        self.recovery = None
        self.policy = None
        self.audit = []
        self.make_endpoints()
        self.make_money()
        self.make_deliveries()
        self.make_operator()

    def time(self, seconds_ago=0.0):
        at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    # ---- Money

    def book(self, kind, entries, payment=None, payout=None, ago=0.0):
        self.sequence += 1
        made = {
            "sequence": str(self.sequence),
            "recorded_at": self.time(ago),
            "type": kind,
            "payment_id": payment,
            "payout_id": payout,
            "entries": [{"account": account, "kind": what, "amount": amount} for account, what, amount in entries],
            "effective_at": self.time(ago),
            "metadata": {},
        }
        self.transactions.append(made)
        return made

    def make_money(self):
        states = [
            "submitted",
            "paid",
            "paid",
            "requested",
            "paid",
            "failed",
            "paid",
            "returned",
            "paid",
            "canceled",
            "rejected",
        ]
        for i in range(130, -1, -1):
            ago = 1800.0 * i + 40
            units = self.random.randrange(500, 90_000)
            self.book(
                "PAYMENT_CAPTURED",
                [("available", "credit", money(units)), ("available", "debit", money(units // 40))],
                payment=f"pay_{7000 - i}" + ("_of_an_id_that_is_as_long_as_ids_may_be" if i == 7 else ""),
                ago=ago,
            )
            if i % 2:
                continue
            state = states[i // 2 % len(states)]
            asset = "JPY/0" if i % 14 == 0 else "USD/2"
            name = f"po_{20260 + 130 - i}" + ("_of_an_id_that_is_as_long_as_ids_may_be" if i == 8 else "")
            units = self.random.randrange(40_000, 4_000_000)
            requested = self.book(
                "PAYOUT_REQUESTED", [("available", "hold_debit", money(units, asset))], payout=name, ago=ago - 10
            )
            ended = state in ("paid", "failed", "returned", "canceled")
            sequences = [requested["sequence"]]
            timeline = [
                {
                    "at": self.time(ago - 10),
                    "what": "PAYOUT_REQUESTED",
                    "detail": "",
                    "sequence": requested["sequence"],
                },
                {"at": self.time(ago - 11), "what": "submit", "detail": "pending", "sequence": None},
            ]
            if ended:
                last = self.book(
                    "PAYOUT_" + state.upper(),
                    [("available", "capture_debit", money(units, asset)), ("fees", "debit", money(125, asset))],
                    payout=name,
                    ago=ago - 30,
                )
                sequences.append(last["sequence"])
                timeline += [
                    {"at": self.time(ago - 25), "what": "query", "detail": state, "sequence": None},
                    {"at": self.time(ago - 30), "what": last["type"], "detail": "", "sequence": last["sequence"]},
                ]
            self.payouts.insert(
                0,
                {
                    "payout_id": name,
                    "merchant_id": MERCHANT,
                    "amount": money(units, asset),
                    "state": state,
                    "reason": "insufficient_funds" if state == "rejected" else None,
                    "requested_at": self.time(ago - 10),
                    "settled_at": self.time(ago - 30) if ended else None,
                    "submits": 1,
                    "queries": 2 if ended else 1,
                    "attention": "Canceled by an event while the bank executed it." if i == 18 else "",
                    "timeline": timeline,
                    "next_attempt": None if ended else self.time(-90),
                    "transactions": sequences,
                },
            )

    def advance_payout(self, name, state):
        payout = next(p for p in self.payouts if p["payout_id"] == name)
        made = self.book("PAYOUT_" + state.upper(), [("available", "capture_debit", payout["amount"])], payout=name)
        payout.update(state=state, settled_at=self.time(), next_attempt=None)
        payout["timeline"].append({"at": self.time(), "what": made["type"], "detail": "", "sequence": made["sequence"]})
        payout["transactions"].append(made["sequence"])
        return made

    # ---- Endpoints and deliveries

    def make_endpoint(self, number, url, state="enabled", **changes):
        e = {
            "id": f"ep_{number:032x}",
            "version": 1,
            "url": url,
            "events": ["*"],
            "headers": [],
            "state": state,
            "disabled": None,
            "scheme": "v1",
            "created_at": self.time(86400 * 40),
            "updated_at": self.time(86400 * number),
            "policy": None,
            "health": {"breaker": "closed", "retry_at": None, "failing_since": None, "consecutive_failures": 0},
        }
        e.update(changes)
        self.endpoints.append(e)
        return e

    def make_endpoints(self):
        self.endpoints = []
        self.make_endpoint(
            1,
            "https://shop.northsea-coffee.example/webhooks/northwind",
            events=["payout.*", "payment.captured"],
            headers=["X-Shop-Key"],
        )
        self.make_endpoint(
            2,
            "https://erp.northsea-coffee.example/api/v2/integrations/payments/inbound-notifications-for-bookkeeping",
            scheme="v1a",
            health={
                "breaker": "open",
                "retry_at": self.time(-40),
                "failing_since": self.time(3000),
                "consecutive_failures": 9,
            },
            policy={
                "retry": {"delays_seconds": [5, 300, 1800, 7200]},
                "timeout_seconds": 15,
                "max_concurrent": 8,
                "max_per_second": 0,
                "burst": 10,
            },
        )
        self.make_endpoint(
            3,
            "https://staging.northsea-coffee.example/hook",
            state="disabled",
            disabled={
                "reason": "failing",
                "at": self.time(7200),
                "detail": "All 214 attempts of five days failed; the last one with 503.",
            },
        )
        self.make_endpoint(4, "https://analytics.example/in", state="paused")

    def attempt(self, d, number, failure, status, ago):
        parts = {
            "dns": 1.2,
            "connect": 8 + self.random.random() * 6,
            "tls": 14 + self.random.random() * 9,
            "first_byte": 20 + self.random.random() * 200,
        }
        return {
            "message_id": d["message_id"],
            "endpoint_id": d["endpoint_id"],
            "type": d["type"],
            "number": number,
            "trigger": "schedule",
            "at": self.time(ago),
            "failure": failure,
            "status": status,
            "message": "" if failure is None else "HTTP status 503",
            "retry_at": None,
            "response_body": (
                "ok" if failure is None else "<html><b>Service Unavailable</b><script>alert(1)</script></html>"
            ),
            "response_truncated": False,
            "timings_ms": {**parts, "total": sum(parts.values()) + 3},
        }

    def make_delivery(self, i, state, endpoint, kind, ago):
        name = f"msg_{i:026d}".replace("0", "0")
        d = {
            "message_id": name,
            "endpoint_id": endpoint,
            "type": kind,
            "state": state,
            "created_at": self.time(ago),
            "attempts": 0,
            "last_attempt_at": None,
            "last_failure": None,
            "last_status": None,
            "delivered_at": None,
            "sequence": str(40000 + i),
            "next_attempt": self.time(-120) if state == "pending" else None,
            "attempts_list": [],
            "body": '{"type":"%s","timestamp":"2026-07-01T12:15:00.412345Z","data":{"payout_id":"po_1","amount":{"asset":"USD/2","units":"98765432109876543"}}}'
            % kind,
        }
        tries = {"delivered": 1, "pending": 2, "dead": 4, "canceled": 0}[state]
        for number in range(1, tries + 1):
            good = state == "delivered" and number == tries
            d["attempts_list"].append(
                self.attempt(d, number, None if good else "status", 200 if good else 503, ago - 2 * number)
            )
        if tries:
            last = d["attempts_list"][-1]
            d.update(
                attempts=tries,
                last_attempt_at=last["at"],
                last_failure=last["failure"],
                last_status=last["status"],
                delivered_at=last["at"] if state == "delivered" else None,
            )
        return d

    def make_deliveries(self):
        kinds = ["payment.captured", "payout.requested", "payout.paid", "payment.refunded"]
        states = ["delivered"] * 6 + ["pending", "dead", "delivered", "canceled"]
        self.deliveries = [
            self.make_delivery(i, states[i % 10], self.endpoints[i % 3]["id"], kinds[i % 4], 400.0 * i + 5)
            for i in range(120)
        ]

    # ---- Operator

    def make_operator(self):
        self.quarantine = [
            {
                "id": f"{i:064x}",
                "cause": "malformed" if i % 2 else "invalid",
                "detail": "amount.units: not a number" if i % 2 else "unknown field 'ammount'",
                "position": str(9000 + i),
                "format": "json",
                "raw": '{"id":"ev_%d","ammount":"12.50"}' % i,
                "raw_size": 34,
            }
            for i in range(1, 8)
        ]
        self.dead = [
            {
                "id": str(880 + i),
                "queue": "nw/webhook",
                "cause": "no attempts left",
                "last_error": "status 503",
                "attempts": 12,
                "died_at": self.time(600 * i),
            }
            for i in range(5)
        ]
        self.cutover = {
            "enabled": True,
            "at": self.time(),
            "epoch": 7,
            "threshold": 500,
            "stages": STAGES,
            "routed_to_batch": False,
            "sending_stopped": False,
            "sending": 0,
            "merchants": 18240,
            "allowed": 48,
            "denied": 12,
            "residue": 2,
        }
        self.overrides = {
            f"m_{i:08d}": {
                "merchant_id": f"m_{i:08d}",
                "override": "deny" if i % 5 == 0 else "allow",
                "line": i + 1,
                "at": self.time(3600 * (60 - i)),
                "actor": "key:ada",
                "reason": "Too large for this step" if i % 5 == 0 else "Asked to go first",
            }
            for i in range(60)
        }
        self.cutover_log = [
            {
                "number": i,
                "at": self.time(86400 * (6 - i)),
                "epoch": i + 1,
                "actor": "key:ada",
                "action": "raise",
                "detail": f"threshold {100 * (i - 1)} -> {100 * i} without the gate",
                "reason": "Fourteen clean days",
                "hash": f"{i:064x}",
            }
            for i in (1, 2, 3, 4, 5)
        ]
        side = lambda n, wrong: {
            "ingested": {"count": n, "sum": str(n * 1234)},
            "matched": {"count": n - wrong, "sum": str((n - wrong) * 1234)},
            "mismatched": {"count": wrong, "sum": "0"},
            "pending": {"count": 0, "sum": "0"},
            "ignored": {"count": 0, "sum": "0"},
        }
        self.days = []
        for i in range(10):
            day = (self.now - datetime.timedelta(days=i)).strftime("%Y-%m-%d")
            wrong = 3 if i in (1, 6) else 0
            self.days.append(
                {
                    "day": day,
                    "state": "open" if i == 0 else "closed",
                    "closed_at": None if i == 0 else self.time(86400 * i - 9000),
                    "closed_by": "key:ada",
                    "assets": {
                        "USD/2": {"ours": side(18200 + i, wrong), "theirs": side(18200 + i, wrong)},
                        "JPY/0": {"ours": side(420, 0), "theirs": side(420, 0)},
                    },
                    "by_class": {"amount": 2, "missing_there": 1} if wrong else {},
                    "by_state": {"open": wrong},
                    "rules_hash": "0" * 64,
                    "sound": i != 0,
                }
            )
        row = {
            "leg": "payout",
            "id": "po_1",
            "merchant_id": MERCHANT,
            "asset": "USD/2",
            "units": "-10000",
            "fee": "125",
            "status": "paid",
            "day": self.days[1]["day"],
            "at": None,
        }
        self.discrepancies = [
            {
                "id": f"payout:po_{i}",
                "classes": ["amount"],
                "state": "open" if i < 4 else "explained",
                "day": self.days[1]["day"],
                "detail": "amount: −100.00 here, −100.01 there (USD)",
                "first_seen": self.time(90000),
                "last_seen": self.time(4000),
                "rules_hash": "0" * 64,
                "ours": [
                    {"records": ["1201"], "raw": '{"id":"ev_1","type":"PAYOUT_PAID"}', "row": {**row, "id": f"po_{i}"}}
                ],
                "theirs": [
                    {
                        "source": "settlements_2026_07.csv",
                        "row_id": "8812",
                        "raw": {"payout": f"po_{i}", "amount": "100.01", "note": None},
                        "row": {**row, "units": "-10001"},
                    }
                ],
                "history": [
                    {"at": self.time(90000), "state": "open", "classes": ["amount"], "actor": "", "reason": ""}
                ],
            }
            for i in range(1, 7)
        ]
        self.keys = [
            {
                "id": "key_0011223344556677",
                "name": "ada",
                "scopes": ["operator:read", "operator:write"],
                "merchant_id": None,
                "created_at": self.time(9e6),
                "expires_at": None,
                "last_used_at": self.time(30),
                "revoked_at": None,
            },
            {
                "id": "key_8899aabbccddeeff",
                "name": "intake",
                "scopes": ["events:write"],
                "merchant_id": MERCHANT,
                "created_at": self.time(8e6),
                "expires_at": self.time(-8e6),
                "last_used_at": self.time(2),
                "revoked_at": None,
            },
        ]
        for i in range(60):
            asked = {"ids": [f"{i:064x}"] * 3} if i % 2 else {"threshold": i, "reason": "Fourteen clean days"}
            detail = json.dumps({"asked": asked}, separators=(",", ":"))
            self.log("key:ada", "redriveQuarantine" if i % 2 else "raiseCutover", "cutover", detail)

    def log(self, actor, action, subject, detail):
        number = len(self.audit) + 1
        self.audit.insert(
            0,
            {
                "number": str(number),
                "at": self.time(),
                "request_id": f"req_{number:026d}",
                "actor": actor,
                "action": action,
                "subject": subject,
                "detail": detail,
                "hash": f"{number * 7919:064x}",
            },
        )

    def overview(self):
        wave = self.random.random()
        return {
            "ledger": {
                "head": {"sequence": str(self.sequence), "hash": "c0ffee" * 10 + "abcd"},
                "accounts": "54720",
                "queued": "12",
                "checkpointed": "48000",
                "disk_bytes": "8123456789",
            },
            "scheduler": {
                "queues": [
                    {"queue": "nw/payout", "waiting": "214", "ready": "3", "leased": "16", "dead": "0"},
                    {
                        "queue": "nw/webhook",
                        "waiting": "18320",
                        "ready": "120",
                        "leased": "64",
                        "dead": str(len(self.dead)),
                    },
                ],
                "tasks": "18614",
            },
            "webhooks": {
                "followed": "48190",
                "endpoints": "9120",
                "waiting": "18320",
                "dead": "4312",
                "in_flight": "64",
                "attempts": "9812345",
                "delivered": "9800021",
                "failed": "12324",
            },
            "payouts": {"followed": "48205"},
            "intake": {"parked": "7"},
            "mirror": {
                "state": "running",
                "mirrored": "48190",
                "head": "48210",
                "lag_records": "20",
                "lag_seconds": 0.4,
            },
            "sqs": {"state": "running", "received": "1200345", "deleted": "1200310"},
            "shadow": False,
            "cutover": copy.deepcopy(self.cutover),
            "claims": True,
            "parallel_run": True,
            "rates": {
                "events_per_second": 1800 + 900 * wave,
                "commit_p50_ms": 3.1 + wave,
                "commit_p99_ms": 11 + 9 * wave,
            },
        }
