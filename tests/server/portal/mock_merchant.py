# SPDX-License-Identifier: Apache-2.0
"""What a merchant asks the mock."""

import collections

import mock_data
from mock_routes import Problem, find, page, route, within

M = "/v1/merchants/" + mock_data.MERCHANT


@route("GET", M + "/balances")
def balances(s, q, b, p):
    one = lambda asset, available, held: {
        "asset": asset,
        "available": available,
        "held": held,
        "debits_posted": "0",
        "credits_posted": "0",
    }
    return {
        "merchant_id": mock_data.MERCHANT,
        "at": None,
        "balances": [
            one("EUR/2", "120455", "0"),
            one("JPY/0", "9812000", "450000"),
            one("USD/2", "123456789012345678901", "4000012"),
        ],
    }


@route("GET", M + "/summary", "from", "before")
def summary(s, q, b, p):
    count = lambda state: str(sum(d["state"] == state for d in s.data.deliveries))
    by = collections.Counter(e["state"] for e in s.data.endpoints)
    return {
        "merchant_id": mock_data.MERCHANT,
        "today": {
            "captured": [mock_data.money(8812345)],
            "refunded": [mock_data.money(12000)],
            "payouts": [],
            "events": "412",
        },
        "payouts_under_way": str(sum(x["state"] in ("requested", "submitted") for x in s.data.payouts)),
        "endpoints": {
            "enabled": str(by["enabled"]),
            "paused": str(by["paused"]),
            "disabled": str(by["disabled"]),
            "failing": "1",
        },
        "deliveries": {
            "delivered": count("delivered"),
            "pending": count("pending"),
            "dead": count("dead"),
            "success_rate": 0.9987,
        },
    }


@route("GET", M + "/transactions", "asset", "from", "before", "type", "limit", "cursor")
def transactions(s, q, b, p):
    rows = [
        t
        for t in reversed(s.data.transactions)
        if (not q.get("type") or t["type"] == q["type"])
        and (not q.get("asset") or any(e["amount"]["asset"] == q["asset"] for e in t["entries"]))
    ]
    return page(within(rows, q, "recorded_at"), q)


@route("GET", M + "/transactions/{sequence}")
def transaction(s, q, b, p):
    return {**find(s.data.transactions, "sequence", p["sequence"]), "links": []}


@route("GET", M + "/payouts", "state", "from", "before", "asset", "min_units", "max_units", "limit", "cursor")
def payouts(s, q, b, p):
    fits = lambda x: (
        (not q.get("state") or x["state"] == q["state"])
        and (not q.get("asset") or x["amount"]["asset"] == q["asset"])
        and int(x["amount"]["units"]) >= int(q.get("min_units", 0))
        and int(x["amount"]["units"]) <= int(q.get("max_units", 10**30))
    )
    return page(within([x for x in s.data.payouts if fits(x)], q, "requested_at"), q)


@route("GET", M + "/payouts/{payout}")
def payout(s, q, b, p):
    return {
        **find(s.data.payouts, "payout_id", p["payout"]),
        "deliveries": [d for d in s.data.deliveries if d["type"] == "payout.paid"][:3],
    }


@route("GET", "/v1/event-types")
def event_types(s, q, b, p):
    return {"data": mock_data.TYPES}


@route("GET", M + "/endpoints", "limit", "cursor")
def endpoints(s, q, b, p):
    return page(s.data.endpoints, q)


@route("POST", M + "/endpoints")
def create_endpoint(s, q, b, p):
    if "/../" in b["url"]:
        raise Problem(400, "invalid_request", 'url: the path must hold no "." or ".."')
    e = s.data.make_endpoint(
        len(s.data.endpoints) + 1,
        b["url"],
        events=b.get("events", ["*"]),
        scheme=b.get("scheme", "v1"),
        policy=b.get("policy"),
        headers=[h["name"] for h in b.get("headers", [])],
    )
    return 201, {"endpoint": e, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


@route("GET", M + "/endpoints/{endpoint}")
def endpoint(s, q, b, p):
    return find(s.data.endpoints, "id", p["endpoint"])


@route("PATCH", M + "/endpoints/{endpoint}")
def update_endpoint(s, q, b, p):
    e = find(s.data.endpoints, "id", p["endpoint"])
    if s.headers.get("If-Match") != '"%d"' % e["version"]:
        raise Problem(412, "version_conflict", "Another version.")
    if "headers" in b:
        b["headers"] = [h["name"] for h in b["headers"]]
    e.update(b, version=e["version"] + 1, updated_at=s.data.time())
    return e


@route("DELETE", M + "/endpoints/{endpoint}")
def delete_endpoint(s, q, b, p):
    s.data.endpoints.remove(find(s.data.endpoints, "id", p["endpoint"]))
    return 204, None


@route("POST", M + "/endpoints/{endpoint}/{verb}")
def endpoint_verb(s, q, b, p):
    e = find(s.data.endpoints, "id", p["endpoint"])
    states = {"pause": "paused", "resume": "enabled", "disable": "disabled", "enable": "enabled"}
    if p["verb"] in states:
        e.update(state=states[p["verb"]], version=e["version"] + 1, disabled=None)
        if p["verb"] == "disable":
            e["disabled"] = {"reason": "by_hand", "at": s.data.time(), "detail": ""}
        return e
    if p["verb"] == "test":
        d = s.data.make_delivery(len(s.data.deliveries), "delivered", e["id"], "webhook.test", 1)
        s.data.deliveries.insert(0, d)
        return 202, {"message_id": d["message_id"]}
    if p["verb"] == "rotate-secret":
        return {
            "endpoint": e,
            "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "old_valid_until": s.data.time(-b["overlap_seconds"]) if b.get("overlap_seconds") else None,
        }
    if p["verb"] == "redrive":
        return {"redriven": sum(d["state"] == "dead" and d["endpoint_id"] == e["id"] for d in s.data.deliveries)}
    if p["verb"] == "recovery":
        s.data.recovery = {
            "state": "running",
            "since": b["since"],
            "until": s.data.time(),
            "reached": b["since"],
            "recovered": 0,
            "per_second": b.get("per_second", 10),
        }
        return 202, s.data.recovery
    raise Problem(404, "not_found")


@route("GET", M + "/endpoints/{endpoint}/recovery", "since")
def recovery(s, q, b, p):
    if q.get("since"):
        return {"count": {"delivered": 411, "pending": 3, "dead": 12, "missing": 40, "recoverable": 52}}
    if s.data.recovery and s.data.recovery["state"] == "running":
        s.data.recovery["recovered"] += 26
        if s.data.recovery["recovered"] >= 52:
            s.data.recovery.update(state="done", reached=s.data.recovery["until"])
    return {"recovery": s.data.recovery}


@route("DELETE", M + "/endpoints/{endpoint}/recovery")
def cancel_recovery(s, q, b, p):
    s.data.recovery["state"] = "canceled"
    return s.data.recovery


@route("GET", M + "/policy")
def policy(s, q, b, p):
    return s.data.policy


@route("PUT", M + "/policy")
def set_policy(s, q, b, p):
    s.data.policy = b
    return b


@route("POST", M + "/policy/preview")
def preview_policy(s, q, b, p):
    at, out = 0, []
    retry = b["retry"]
    delays = retry.get("delays_seconds") or [0] + [
        min(retry["initial_seconds"] * retry["multiplier"] ** i, retry["cap_seconds"])
        for i in range(int(retry["max_attempts"]) - 1)
    ]
    for delay in delays:
        at += delay
        out.append(at)
    return {"attempts_at_seconds": out, "gives_up_after_seconds": at}


@route("GET", M + "/deliveries", "endpoint", "message", "type", "state", "from", "before", "limit", "cursor")
def deliveries(s, q, b, p):
    names = {"endpoint": "endpoint_id", "message": "message_id", "type": "type", "state": "state"}
    return page(
        within(
            [d for d in s.data.deliveries if all(not q.get(n) or d[m] == q[n] for n, m in names.items())],
            q,
            "created_at",
        ),
        q,
    )


@route("POST", M + "/deliveries/resend")
def resend_many(s, q, b, p):
    s.data.resent += b["deliveries"]
    return {"data": [{**d, "status": "already_under_way" if i == 0 else "sent"} for i, d in enumerate(b["deliveries"])]}


@route("GET", M + "/deliveries/{endpoint}/{message}")
def delivery(s, q, b, p):
    return find([d for d in s.data.deliveries if d["endpoint_id"] == p["endpoint"]], "message_id", p["message"])


@route("POST", M + "/deliveries/{endpoint}/{message}/resend")
def resend(s, q, b, p):
    s.data.resent.append({"endpoint_id": p["endpoint"], "message_id": p["message"]})
    return 202, delivery(s, q, b, p)


@route("GET", M + "/attempts", "endpoint", "message", "type", "failure", "status", "from", "before", "limit", "cursor")
def attempts(s, q, b, p):
    return page(
        [
            a
            for d in s.data.deliveries
            if not q.get("endpoint") or d["endpoint_id"] == q["endpoint"]
            for a in reversed(d["attempts_list"])
        ],
        q,
    )
