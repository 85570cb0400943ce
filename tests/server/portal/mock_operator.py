# SPDX-License-Identifier: Apache-2.0
"""What an operator asks the mock."""

import re

import mock_data
from mock_routes import Problem, find, page, route

O = "/v1/operator"


@route("GET", O + "/overview")
def overview(s, q, b, p):
    return s.data.overview()


@route("GET", O + "/quarantine", "limit", "cursor")
def quarantine(s, q, b, p):
    return page(s.data.quarantine, q)


@route("POST", O + "/quarantine/{verb}")
def quarantine_verb(s, q, b, p):
    s.data.quarantine = [x for x in s.data.quarantine if x["id"] not in b["ids"]]
    one = {
        "status": "applied",
        "type": "PAYMENT_CAPTURED",
        "sequence": "1",
        "reason": None,
        "cause": None,
        "detail": None,
    }
    return {"outcomes": [one] * len(b["ids"])} if p["verb"] == "redrive" else {"discarded": len(b["ids"])}


@route("GET", O + "/dead-letters", "queue", "limit", "cursor")
def dead_letters(s, q, b, p):
    return page([d for d in s.data.dead if not q.get("queue") or d["queue"] == q["queue"]], q)


@route("POST", O + "/dead-letters/{verb}")
def dead_letters_verb(s, q, b, p):
    s.data.dead = [d for d in s.data.dead if d["id"] not in b["ids"]]
    return {p["verb"]: len(b["ids"])}


@route("POST", O + "/deliveries/redrive")
def redrive_all(s, q, b, p):
    return {"redriven": 4312}


@route("GET", O + "/mirror")
def mirror(s, q, b, p):
    return {
        "enabled": True,
        "state": "running",
        "status": "",
        "mirrored": "48190",
        "head": "48210",
        "lag_records": str(s.data.random.randrange(40)),
        "lag_seconds": 0.4,
        "batches": "91234",
        "records": "48190",
        "copied": "40000",
        "connections": "2",
        "ambiguous": "0",
    }


@route("POST", O + "/verify")
def verify(s, q, b, p):
    return {
        "head": {"sequence": "48210", "hash": "c0ffee" * 10 + "abcd"},
        "blocks": "912",
        "records": "48210",
        "accounts": "54720",
        "entries": "193000",
        "open_holds": "12",
    }


@route("POST", O + "/backup")
def backup(s, q, b, p):
    return 201, {"directory": "data/backups/" + b["name"], "head": {"sequence": "48210", "hash": "c0ffee"}}


@route("GET", O + "/audit-log", "limit", "cursor")
def audit_log(s, q, b, p):
    return page(s.data.audit, q)


@route("GET", O + "/keys", "limit", "cursor")
def keys(s, q, b, p):
    return page(s.data.keys, q)


@route("POST", O + "/keys")
def create_key(s, q, b, p):
    view = {
        "id": f"key_{len(s.data.keys):016x}",
        "merchant_id": None,
        "created_at": s.data.time(),
        "expires_at": None,
        "last_used_at": None,
        "revoked_at": None,
        **b,
    }
    s.data.keys.append(view)
    return 201, {"key": "nwk_" + view["id"] + "_" + "cd" * 32, "view": view}


@route("POST", O + "/keys/{key}/rotate")
def rotate_key(s, q, b, p):
    view = find(s.data.keys, "id", p["key"])
    return {"key": "nwk_" + view["id"] + "_" + "ef" * 32, "view": view}


@route("DELETE", O + "/keys/{key}")
def revoke_key(s, q, b, p):
    find(s.data.keys, "id", p["key"])["revoked_at"] = s.data.time()
    return 204, None


@route("GET", O + "/cutover")
def cutover(s, q, b, p):
    return s.data.cutover


@route("GET", O + "/cutover/preview", "threshold")
def preview_cutover(s, q, b, p):
    share = lambda points: {
        "merchants": 18240 * points // 10000,
        "units": {"USD/2": str(98765432100 * points // 10000)},
    }
    return {
        "merchants": 18240,
        "units": {"USD/2": "98765432100"},
        "now": share(s.data.cutover["threshold"]),
        "then": share(int(q["threshold"])),
        "moved": [f"m_{i:08d}" for i in range(40)],
    }


@route("GET", O + "/cutover/log", "limit", "cursor")
def cutover_log(s, q, b, p):
    return page(s.data.cutover_log, q)


@route("GET", O + "/cutover/residue", "limit", "cursor")
def residue(s, q, b, p):
    return page(
        [
            {
                "id": f"po_{i}",
                "merchant_id": mock_data.MERCHANT,
                "at": s.data.time(5000),
                "claim": None if i else {"system": "northwind"},
            }
            for i in range(2)
        ],
        q,
    )


@route("GET", O + "/cutover/overrides", "limit", "cursor")
def overrides(s, q, b, p):
    return page([s.data.overrides[merchant] for merchant in sorted(s.data.overrides)], q)


def change_override(s, merchant, value, reason):
    """As the server counts them, and with a line of the log."""
    if not reason:
        raise Problem(400, "invalid_request", "reason: is missing")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", merchant):
        detail = f"cutover: '{merchant}' is no merchant's id: 1 to 64 characters of A-Z a-z 0-9 . _ -"
        raise Problem(400, "invalid_request", detail)
    c, counts = s.data.cutover, {"allow": "allowed", "deny": "denied"}
    before = s.data.overrides.pop(merchant, {"override": None})["override"]
    if before:
        c[counts[before]] -= 1
    if value:
        c[counts[value]] += 1
    c["epoch"] += 1
    line = add_line(s, "set_override", f"override of {merchant}: {before or 'none'} -> {value or 'none'}", reason)
    if value:
        kept = {name: line[name] for name in ("at", "actor", "reason")}
        s.data.overrides[merchant] = {"merchant_id": merchant, "override": value, "line": line["number"], **kept}
    return c


@route("PUT", O + "/cutover/overrides/{merchant_id}")
def set_override(s, q, b, p):
    return change_override(s, p["merchant_id"], b["override"], b.get("reason"))


@route("DELETE", O + "/cutover/overrides/{merchant_id}")
def clear_override(s, q, b, p):
    return change_override(s, p["merchant_id"], None, b.get("reason"))


def add_line(s, action, detail, reason):
    log = s.data.cutover_log
    log.append(
        {
            "number": len(log) + 1,
            "at": s.data.time(),
            "epoch": s.data.cutover["epoch"],
            "actor": "key:ada",
            "action": action,
            "detail": detail,
            "reason": reason,
            "hash": "0" * 64,
        }
    )
    return log[-1]


@route("POST", O + "/cutover/{verb}")
def cutover_verb(s, q, b, p):
    c = s.data.cutover
    if not b.get("reason"):
        raise Problem(400, "invalid_request", "reason: is missing")
    if p["verb"] in ("raise", "resume-routing") and not b.get("force"):
        raise Problem(409, "wrong_state", "The gate is closed: 3 days of 14 are not clean.")
    if p["verb"] == "hand-back":
        return {"handed": len(b["ids"]), "kept": 0, "before": 0, "finished": 0}
    c.update(
        {
            "route-to-batch": {"routed_to_batch": True},
            "resume-routing": {"routed_to_batch": False},
            "stop-sending": {"sending_stopped": True},
            "resume-sending": {"sending_stopped": False},
        }.get(p["verb"], {"threshold": b.get("threshold")}),
        epoch=c["epoch"] + 1,
    )
    add_line(s, p["verb"].replace("-", "_"), "", b["reason"])
    return c


@route("GET", O + "/parallel-run/days", "from", "to")
def days(s, q, b, p):
    return {"data": s.data.days, "next_cursor": None}


@route("POST", O + "/parallel-run/days/{day}/close")
def close_day(s, q, b, p):
    find(s.data.days, "day", p["day"]).update(state="closed", closed_at=s.data.time())
    return find(s.data.days, "day", p["day"])


@route("GET", O + "/parallel-run/gate")
def gate(s, q, b, p):
    return {
        "open": False,
        "reasons": ["Only 1 of 14 days in a row is clean; the day before it has 3 open differences."],
        "days": [],
        "rules_hash": "0" * 64,
    }


@route("GET", O + "/parallel-run/discrepancies", "state", "class", "day", "merchant", "limit", "cursor")
def discrepancies(s, q, b, p):
    return page(
        [
            d
            for d in s.data.discrepancies
            if (not q.get("state") or d["state"] == q["state"]) and (not q.get("class") or q["class"] in d["classes"])
        ],
        q,
    )


@route("GET", O + "/parallel-run/discrepancies/{id}")
def discrepancy(s, q, b, p):
    return find(s.data.discrepancies, "id", p["id"])


@route("POST", O + "/parallel-run/discrepancies/{id}/{verb}")
def discrepancy_verb(s, q, b, p):
    d = find(s.data.discrepancies, "id", p["id"])
    d["state"] = {"explain": "explained", "resolve": "resolved", "reopen": "open"}[p["verb"]]
    d["history"].append(
        {"at": s.data.time(), "state": d["state"], "classes": d["classes"], "actor": "key:ada", "reason": b["reason"]}
    )
    return d
