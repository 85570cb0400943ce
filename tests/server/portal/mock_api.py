#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small mock of the reference server's API, with the pages from their folder under the server's own headers, to work on them.

    python3 tests/server/portal/mock_api.py [--port N]

Prints its address. Any token that begins with "good" signs in, once: /portal/#/signin/good1. POST /mock steers it, for tests:
{"fail": 500 | 401 | null} answers so from now on, {"payout": "po_1", "state": "paid"} makes that happen.
"""
import argparse
import collections
import hashlib
import http.server
import json
import pathlib
import queue
import re
import socketserver
import sys
import threading
import urllib.parse

import mock_data

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGES = ROOT / "examples/reference_server/portal/pages"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
M = "/v1/merchants/" + mock_data.MERCHANT
ROUTES = []


def route(method, pattern, *allowed):
    """The handler of a path; `allowed`: names of its query. Another one is a 400, as the server does it."""
    def add(function):
        ROUTES.append((method, re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + "$"), set(allowed), function))
        return function
    return add


class Problem(Exception):
    def __init__(self, status, code, detail=""):
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def page(rows, query):
    limit, at = int(query.get("limit", 100)), int(query.get("cursor", 0))
    return {"data": rows[at:at + limit], "next_cursor": str(at + limit) if at + limit < len(rows) else None}


def within(rows, query, name):
    return [r for r in rows if (not query.get("from") or r[name] >= query["from"]) and (not query.get("before") or r[name] < query["before"])]


def find(rows, name, value):
    for row in rows:
        if row[name] == value:
            return row
    raise Problem(404, "not_found", "Not found.")


# ---- A merchant's


@route("GET", M + "/balances")
def balances(s, q, b, p):
    one = lambda asset, available, held: {"asset": asset, "available": available, "held": held, "debits_posted": "0", "credits_posted": "0"}
    return {"merchant_id": mock_data.MERCHANT, "at": None, "balances": [one("EUR/2", "120455", "0"), one("JPY/0", "9812000", "450000"), one("USD/2", "123456789012345678901", "4000012")]}


@route("GET", M + "/summary", "from", "before")
def summary(s, q, b, p):
    count = lambda state: str(sum(d["state"] == state for d in s.data.deliveries))
    by = collections.Counter(e["state"] for e in s.data.endpoints)
    return {"merchant_id": mock_data.MERCHANT, "today": {"captured": [mock_data.money(8812345)], "refunded": [mock_data.money(12000)], "payouts": [], "events": "412"},
            "payouts_under_way": str(sum(x["state"] in ("requested", "submitted") for x in s.data.payouts)),
            "endpoints": {"enabled": str(by["enabled"]), "paused": str(by["paused"]), "disabled": str(by["disabled"]), "failing": "1"},
            "deliveries": {"delivered": count("delivered"), "pending": count("pending"), "dead": count("dead"), "success_rate": 0.9987}}


@route("GET", M + "/transactions", "asset", "from", "before", "type", "limit", "cursor")
def transactions(s, q, b, p):
    rows = [t for t in reversed(s.data.transactions) if (not q.get("type") or t["type"] == q["type"]) and
            (not q.get("asset") or any(e["amount"]["asset"] == q["asset"] for e in t["entries"]))]
    return page(within(rows, q, "recorded_at"), q)


@route("GET", M + "/transactions/{sequence}")
def transaction(s, q, b, p):
    return {**find(s.data.transactions, "sequence", p["sequence"]), "links": []}


@route("GET", M + "/payouts", "state", "from", "before", "asset", "min_units", "max_units", "limit", "cursor")
def payouts(s, q, b, p):
    fits = lambda x: ((not q.get("state") or x["state"] == q["state"]) and (not q.get("asset") or x["amount"]["asset"] == q["asset"]) and
                      int(x["amount"]["units"]) >= int(q.get("min_units", 0)) and int(x["amount"]["units"]) <= int(q.get("max_units", 10**30)))
    return page(within([x for x in s.data.payouts if fits(x)], q, "requested_at"), q)


@route("GET", M + "/payouts/{payout}")
def payout(s, q, b, p):
    return {**find(s.data.payouts, "payout_id", p["payout"]), "deliveries": [d for d in s.data.deliveries if d["type"] == "payout.paid"][:3]}


@route("GET", "/v1/event-types")
def event_types(s, q, b, p):
    return {"data": mock_data.TYPES}


@route("GET", M + "/endpoints", "limit", "cursor")
def endpoints(s, q, b, p):
    return page(s.data.endpoints, q)


@route("POST", M + "/endpoints")
def create_endpoint(s, q, b, p):
    if "refused" in b["url"]:
        raise Problem(400, "invalid_request", "url: the host leads to an address that is not public")
    e = s.data.make_endpoint(len(s.data.endpoints) + 1, b["url"], events=b.get("events", ["*"]), scheme=b.get("scheme", "v1"), policy=b.get("policy"),
                             headers=[h["name"] for h in b.get("headers", [])])
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
        return {"endpoint": e, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "old_valid_until": s.data.time(-b["overlap_seconds"]) if b.get("overlap_seconds") else None}
    if p["verb"] == "redrive":
        return {"redriven": sum(d["state"] == "dead" and d["endpoint_id"] == e["id"] for d in s.data.deliveries)}
    if p["verb"] == "recovery":
        s.data.recovery = {"state": "running", "since": b["since"], "until": s.data.time(), "reached": b["since"], "recovered": 0, "per_second": b.get("per_second", 10)}
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
    at, out = 0, [0]
    retry = b["retry"]
    delays = retry.get("delays_seconds") or [min(retry["initial_seconds"] * retry["multiplier"]**i, retry["cap_seconds"]) for i in range(int(retry["max_attempts"]) - 1)]
    for delay in delays:
        at += delay
        out.append(at)
    return {"attempts_at_seconds": out, "gives_up_after_seconds": at}


@route("GET", M + "/deliveries", "endpoint", "message", "type", "state", "from", "before", "limit", "cursor")
def deliveries(s, q, b, p):
    names = {"endpoint": "endpoint_id", "message": "message_id", "type": "type", "state": "state"}
    return page(within([d for d in s.data.deliveries if all(not q.get(n) or d[m] == q[n] for n, m in names.items())], q, "created_at"), q)


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
    return page([a for d in s.data.deliveries if not q.get("endpoint") or d["endpoint_id"] == q["endpoint"] for a in reversed(d["attempts_list"])], q)


# ---- The operator's

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
    one = {"status": "applied", "type": "PAYMENT_CAPTURED", "sequence": "1", "reason": None, "cause": None, "detail": None}
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
    return {"enabled": True, "state": "running", "status": "", "mirrored": "48190", "head": "48210", "lag_records": str(s.data.random.randrange(40)), "lag_seconds": 0.4,
            "batches": "91234", "records": "48190", "copied": "40000", "connections": "2", "ambiguous": "0"}


@route("POST", O + "/verify")
def verify(s, q, b, p):
    return {"head": {"sequence": "48210", "hash": "c0ffee" * 10 + "abcd"}, "blocks": "912", "records": "48210", "accounts": "54720", "entries": "193000", "open_holds": "12"}


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
    view = {"id": f"key_{len(s.data.keys):016x}", "merchant_id": None, "created_at": s.data.time(), "expires_at": None, "last_used_at": None, "revoked_at": None, **b}
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
    share = lambda points: {"merchants": 18240 * points // 10000, "units": {"USD/2": str(98765432100 * points // 10000)}}
    return {"merchants": 18240, "units": {"USD/2": "98765432100"}, "now": share(s.data.cutover["threshold"]), "then": share(int(q["threshold"])), "moved": [f"m_{i:08d}" for i in range(40)]}


@route("GET", O + "/cutover/log", "limit", "cursor")
def cutover_log(s, q, b, p):
    return page(s.data.cutover_log, q)


@route("GET", O + "/cutover/residue", "limit", "cursor")
def residue(s, q, b, p):
    return page([{"id": f"po_{i}", "merchant_id": mock_data.MERCHANT, "at": s.data.time(5000), "claim": None if i else {"system": "northwind"}} for i in range(2)], q)


@route("POST", O + "/cutover/{verb}")
def cutover_verb(s, q, b, p):
    c = s.data.cutover
    if not b.get("reason"):
        raise Problem(400, "invalid_request", "reason: is missing")
    if p["verb"] == "raise" and b["threshold"] > 5000 and not b.get("force"):
        raise Problem(409, "wrong_state", "The gate is closed: 3 days of 14 are not clean.")
    if p["verb"] == "hand-back":
        return {"handed": len(b["ids"]), "kept": 0, "before": 0, "finished": 0}
    c.update({"route-to-batch": {"routed_to_batch": True}, "resume-routing": {"routed_to_batch": False}, "stop-sending": {"sending_stopped": True},
              "resume-sending": {"sending_stopped": False}}.get(p["verb"], {"threshold": b.get("threshold")}), epoch=c["epoch"] + 1)
    s.data.cutover_log.insert(0, {"number": 6, "at": s.data.time(), "epoch": c["epoch"], "actor": "key:ada", "action": p["verb"].replace("-", "_"), "detail": "", "reason": b["reason"], "hash": "0" * 64})
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
    return {"open": False, "reasons": ["Only 1 of 14 days in a row is clean; the day before it has 3 open differences."], "days": [], "rules_hash": "0" * 64}


@route("GET", O + "/parallel-run/discrepancies", "state", "class", "day", "merchant", "limit", "cursor")
def discrepancies(s, q, b, p):
    return page([d for d in s.data.discrepancies if (not q.get("state") or d["state"] == q["state"]) and (not q.get("class") or q["class"] in d["classes"])], q)


@route("GET", O + "/parallel-run/discrepancies/{id}")
def discrepancy(s, q, b, p):
    return find(s.data.discrepancies, "id", p["id"])


@route("POST", O + "/parallel-run/discrepancies/{id}/{verb}")
def discrepancy_verb(s, q, b, p):
    d = find(s.data.discrepancies, "id", p["id"])
    d["state"] = {"explain": "explained", "resolve": "resolved", "reopen": "open"}[p["verb"]]
    d["history"].append({"at": s.data.time(), "state": d["state"], "classes": d["classes"], "actor": "key:ada", "reason": b["reason"]})
    return d


# ---- The server


class Mock(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.lock = threading.RLock()
        self.restart()

    def restart(self):
        self.data = mock_data.Data()
        self.fail = None  # a status, for every answer of the API
        self.sessions, self.used, self.streams, self.asked, self.closing = {}, set(), [], [], False

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a browser that went away is none
            super().handle_error(request, client_address)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def tell(self, kind, data, number):
        with self.lock:
            for stream in self.streams:
                stream.put(f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n")

    def settle(self, payout_id, state):
        with self.lock:
            made = self.data.advance_payout(payout_id, state)
        self.tell("transaction", {**made, "links": []}, made["sequence"])

    def cut_streams(self):
        """Ends all event streams, as a restart of the server would."""
        with self.lock:
            for stream in self.streams:
                stream.put(None)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    data = property(lambda self: self.server.data)

    def log_message(self, *words):
        pass

    def answer(self, status, body, kind="application/json", fields=()):
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if raw:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def problem(self, problem):
        self.answer(problem.status, {"type": "about:blank", "title": problem.code, "status": problem.status, "code": problem.code, "detail": problem.detail,
                                     "instance": "req_00000000000000000000000001"}, "application/problem+json")

    def session(self):
        match = re.search(r"northwind-plain=(\w+)", self.headers.get("Cookie", ""))
        return self.server.sessions.get(match.group(1)) if match else None

    def page(self, path):
        if path == "/":
            return self.answer(302, None, fields=[("Location", "/portal/")])
        file = (PAGES / (path.lstrip("/") + ("index.html" if path.endswith("/") else ""))).resolve()
        if PAGES not in file.parents or not file.is_file():
            return self.answer(404, b"not found", "text/plain")
        raw = file.read_bytes()
        etag = '"%s"' % hashlib.sha256(raw).hexdigest()
        fields = [("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("ETag", etag), ("Cache-Control", "no-cache")]
        if self.headers.get("If-None-Match") == etag:
            return self.answer(304, None, fields=fields)
        return self.answer(200, raw, TYPES[file.suffix], fields)

    def access(self, method, path, body):
        """Sign-in and out; whether it was that."""
        if path != "/v1/session":
            return False
        session = self.session()
        if method == "POST":
            token = body["token"]
            if not token.startswith("good") or token in self.server.used:
                raise Problem(401, "unauthenticated", "The link is not good.")
            self.server.used.add(token)
            cookie = hashlib.sha256(token.encode()).hexdigest()
            made = {"merchant_id": mock_data.MERCHANT, "csrf_token": cookie[:32], "expires_at": self.data.time(-12 * 3600)}
            self.server.sessions[cookie] = made
            self.answer(201, made, fields=[("Set-Cookie", f"northwind-plain={cookie}; Path=/; HttpOnly; SameSite=Strict")])
        elif session is None:
            raise Problem(401, "unauthenticated", "No session.")
        elif method == "GET":
            self.answer(200, session)
        else:
            self.server.sessions.clear()
            self.answer(204, None)
        return True

    def live(self):
        stream = queue.Queue()
        with self.server.lock:
            self.server.streams.append(stream)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(b"event: hello\ndata: {}\n\n")
            self.wfile.flush()
            while (text := stream.get()) is not None:
                self.wfile.write(text.encode())
                self.wfile.flush()
        except OSError:
            pass
        finally:
            with self.server.lock:
                self.server.streams.remove(stream)

    def guard(self, method, path):
        operator = path.startswith("/v1/operator")
        if path == "/v1/event-types":
            return
        if operator and self.headers.get("Authorization") != "Bearer " + mock_data.OPERATOR_KEY:
            raise Problem(401, "unauthenticated", "No good credential.")
        if not operator:
            session = self.session()
            if session is None:
                raise Problem(401, "unauthenticated", "No session.")
            if method != "GET" and self.headers.get("X-CSRF-Token") != session["csrf_token"]:
                raise Problem(403, "csrf", "The token is missing.")

    def handle_request(self):
        url = urllib.parse.urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path, method = url.path, self.command
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if not path.startswith("/v1/") and path != "/mock":
            return self.page(path)
        try:
            if path == "/mock":
                if "fail" in body:
                    self.server.fail = body["fail"]
                if "payout" in body:
                    self.server.settle(body["payout"], body["state"])
                return self.answer(204, None)
            self.server.asked.append((method, self.path, body))
            if self.server.fail:
                raise Problem(self.server.fail, {401: "unauthenticated"}.get(self.server.fail, "internal"), "" if self.server.fail == 500 else "Asked to fail.")
            if self.access(method, path, body):
                return None
            self.guard(method, path)
            if path == M + "/live":
                return self.live()
            if path.startswith((M + "/statement", M + "/payouts.csv")):
                return self.answer(200, b"sequence,recorded_at\r\n", "text/csv", [("Content-Disposition", "attachment; filename=statement.csv")])
            for known, pattern, allowed, function in ROUTES:
                match = pattern.match(path)
                if known == method and match:
                    if set(query) - allowed:
                        raise Problem(400, "invalid_request", f"query: {sorted(set(query) - allowed)} are not known")
                    with self.server.lock:
                        made = function(self, query, body, {name: urllib.parse.unquote(text) for name, text in match.groupdict().items()})
                    status, made = made if isinstance(made, tuple) else (200, made)
                    return self.answer(status, made if status != 204 else None)
            raise Problem(404, "not_found", "Not found.")
        except Problem as problem:
            return self.problem(problem)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    with Mock(parser.parse_args().port) as server:
        print(f"{server.address}/portal/#/signin/good1", flush=True)
        print(f"{server.address}/console/ with {mock_data.OPERATOR_KEY}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
