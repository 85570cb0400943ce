#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A batch system that settles payment events by the day, in PostgreSQL: what northwind is compared with before it takes over.

    legacy_batch.py --connection CONNINFO init             the schema "legacy", empty
    legacy_batch.py --connection CONNINFO load EVENTS      payment events (docs/events.md), JSON lines, in order of arrival
    legacy_batch.py --connection CONNINFO run DAY          the nightly job for one business day, such as 2024-03-01
    legacy_batch.py --connection CONNINFO run-all          for every day that was loaded and not run
    legacy_batch.py --connection CONNINFO reset            forgets all that was settled; events and defects stay
    legacy_batch.py --connection CONNINFO totals [DAY]     control totals as JSON: day, asset, lines and sum in minor units
    legacy_batch.py --connection CONNINFO export           all lines as CSV with a head, as rows.sql has them
    legacy_batch.py --connection CONNINFO bug on NAME...   switches historical defects on for the runs to come; `bug off NAME...`
    legacy_batch.py --connection CONNINFO bugs             the defects: name, on or off, shards, what it does
    legacy_batch.py --connection CONNINFO affected NAME... which rows each defect spoils, as JSON: computed from the raw events alone

A run with no defect on comes to exactly what the ledger does if every line is an event, as this checks less than the ledger, and if what is
paid out was brought in by events that arrived before (make_events --malformed 0 --order-free). Assumed beside: refunds, chargebacks and
debits are covered; no end of a payout or chargeback is for more than it; a refund returns at most the fee that was taken; what belongs
together has one merchant and one currency.

Needs psql, and Python's standard library. CONNINFO as libpq has it ("host=/tmp/pg user=northwind dbname=postgres").
"""
import argparse
import gc
import json
import pathlib
import re
import subprocess
import sys
import zoneinfo
from datetime import datetime, timezone

HERE = pathlib.Path(__file__).resolve().parent
IS_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z").fullmatch
NEEDS_AMOUNT = {"PAYMENT_CAPTURED", "PAYMENT_REFUNDED", "DISPUTE_OPENED", "PAYOUT_REQUESTED", "ADJUSTMENT"}
TYPES = NEEDS_AMOUNT | {"DISPUTE_LOST", "DISPUTE_WON", "PAYOUT_PAID", "PAYOUT_FAILED", "PAYOUT_CANCELED",
                        "PAYOUT_RETURNED"}
SCALES = {"USD/2": 2, "EUR/2": 2, "JPY/0": 0}  # as in schema.sql
# No character of JSON text: COPY then gives lines back byte for byte.
PLAIN_COPY = r"(FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01')"


class Failed(Exception):
    pass


class Database:
    def __init__(self, connection):
        self.words = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", connection]

    def run(self, *words):
        done = subprocess.run([*self.words, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            raise Failed(done.stderr.decode(errors="replace").strip())
        return done.stdout.decode()

    def ask(self, sql):
        """Rows of text."""
        return [line.split("\t") for line in self.run("-At", "-F", "\t", "-c", sql).splitlines()]

    def file(self, name, **variables):
        settings = [word for name_, value in variables.items() for word in ("-v", f"{name_}={value}")]
        self.run(*settings, "-f", HERE / name)

    def copy_in(self, table, lines):
        with subprocess.Popen([*self.words, "-c", f"COPY {table} FROM STDIN"], stdin=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            try:
                for line in lines:
                    process.stdin.write(line)
            except BrokenPipeError:
                pass  # it says why
            _, errors = process.communicate()
            if process.returncode:
                raise Failed(errors.decode(errors="replace").strip())

    def copy_out(self, query):
        """Lines, with their ends."""
        with subprocess.Popen([*self.words, "-c", f"COPY ({query}) TO STDOUT {PLAIN_COPY}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE) as process:
            yield from process.stdout
            if process.wait():
                raise Failed("psql failed")


# ---- Loading ------------------------------------------------------------------------------------------------------


def decimal(units, scale):
    """ "1250" in minor units as "12.50"."""
    if scale == 0:
        return units
    units = units.rjust(scale + 1, "0")
    return f"{units[:-scale]}.{units[-scale:]}"


def money(value):
    """(currency, amount) or an exception."""
    asset, units = value["asset"], value["units"]
    if not units.isdecimal() or len(units) > 20:
        raise ValueError("amount")
    return asset[:3], decimal(units, SCALES[asset])


def text(value):
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


class Loader:
    """Lines of COPY from lines of JSON. Every line arrives on the business day of the latest event so far."""

    def __init__(self, time_zone, raw_id, load_day):
        self.zone = zoneinfo.ZoneInfo(time_zone)
        self.raw_id = raw_id
        self.latest, self.load_day = "", load_day
        self.errors = []

    def arrived(self, minute):
        if minute > self.latest:
            self.latest = minute
            moment = datetime.strptime(minute, "%Y-%m-%dT%H:%M").replace(tzinfo=timezone.utc)
            self.load_day = max(self.load_day, moment.astimezone(self.zone).date().isoformat())
        return self.load_day

    def columns(self, raw):
        event = json.loads(raw)
        kind, occurred = event["type"], event["occurred_at"]
        if kind not in TYPES or not IS_TIME(occurred):
            raise ValueError("type or occurred_at")
        currency = amount = fee = "\\N"
        if "amount" in event:
            currency, amount = money(event["amount"])
            if "fee" in event:
                fee = money(event["fee"])[1]
        elif kind in NEEDS_AMOUNT:
            raise ValueError("no amount")
        payment, payout = event.get("payment_id"), event.get("payout_id")
        if not (payout if kind.startswith("PAYOUT") else payment):
            raise ValueError("no id")
        # PostgreSQL has microseconds, and would round to them: into the next day, at worst.
        at = occurred[:26].rstrip("Z") + "Z"
        return (str(self.raw_id), self.arrived(occurred[:16]), kind, payment or "\\N", event.get("refund_id", "\\N"),
                payout or "\\N", event["merchant_id"], currency, amount, fee, event.get("direction", "\\N"), at,
                occurred, text(raw))

    def lines(self, file):
        for line in file:
            line = line.rstrip(b"\r\n")
            if not line:
                continue
            self.raw_id += 1
            try:
                columns = self.columns(line.decode())
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self.errors.append((self.raw_id, f"{type(error).__name__}: {error}", line))
                continue
            yield ("\t".join(columns) + "\n").encode()

    def error_lines(self):
        for raw_id, reason, line in self.errors:
            yield f"{raw_id}\t{text(reason)}\t\\\\x{line.hex()}\n".encode()


def load(database, path):
    time_zone, raw_id, load_day = database.ask(
        "SELECT time_zone, coalesce((SELECT max(raw_id) FROM legacy.raw_events), 0), "
        "coalesce((SELECT max(load_day) FROM legacy.raw_events), '0001-01-01') FROM legacy.settings")[0]
    loader = Loader(time_zone, int(raw_id), load_day)
    with open(path, "rb") as file:
        database.copy_in("legacy.raw_events", loader.lines(file))
    database.copy_in("legacy.load_errors", loader.error_lines())
    database.run("-c", "INSERT INTO legacy.merchants (merchant_id, shard) SELECT DISTINCT merchant_id, "
                 "coalesce(substring(merchant_id FROM '[0-9]$')::smallint, 0) FROM legacy.raw_events "
                 "ON CONFLICT DO NOTHING", "-c", "ANALYZE legacy.raw_events, legacy.merchants")
    return {"events": loader.raw_id - int(raw_id) - len(loader.errors), "errors": len(loader.errors)}


# ---- Running, reporting -------------------------------------------------------------------------------------------


def run_all(database):
    days = [day for day, in database.ask(
        "SELECT DISTINCT load_day FROM legacy.raw_events WHERE load_day NOT IN "
        "(SELECT business_day FROM legacy.batch_runs WHERE finished_at IS NOT NULL) ORDER BY 1")]
    for day in days:
        database.file("batch.sql", day=day)
    return {"days": days}


def reset(database):
    database.run("-c", "TRUNCATE legacy.batch_runs, legacy.captures, legacy.refunds, legacy.chargebacks, legacy.payouts, "
                 "legacy.payout_returns, legacy.adjustments, legacy.refusals, legacy.balances, legacy.control_totals, "
                 "legacy.carried_over RESTART IDENTITY", "-c", "ALTER SEQUENCE legacy.settlement_line RESTART")


def totals(database, day):
    """{day: {asset: {"count", "sum"}}}, sums in minor units as text."""
    found = {}
    where = f"WHERE business_day = '{day}'" if day else ""
    for of, code, digits, lines, units in database.ask(
            "SELECT business_day, code, minor_digits, lines, (amount * 10 ^ minor_digits)::numeric(38, 0) "
            "FROM legacy.control_totals JOIN legacy.currencies ON code = currency "
            f"{where} ORDER BY business_day, code"):
        found.setdefault(of, {})[f"{code}/{digits}"] = {"count": int(lines), "sum": units}
    return found


def switch(database, names, enabled):
    known = {name for name, in database.ask("SELECT name FROM legacy.defects")}
    if not names or not known.issuperset(names):
        raise Failed(f"the defects are {', '.join(sorted(known))}")
    listed = ", ".join(f"'{name}'" for name in names)
    database.run("-c", f"UPDATE legacy.defects SET enabled = {enabled} WHERE name IN ({listed})")
    return {"on" if enabled else "off": names}


def defects(database):
    return {name: {"on": on == "t", "shards": json.loads(shards), "what": what} for name, on, shards, what in database.ask(
        "SELECT name, enabled, to_json(shards), what FROM legacy.defects ORDER BY name")}


def affected(database, names):
    """{name: {"class", "ids"}}; ids as those of discrepancies."""
    import replay  # reads as much as the whole recount

    shards = {name: defect["shards"] for name, defect in defects(database).items() if name in names}
    if not names or len(shards) != len(set(names)):
        raise Failed(f"the defects are {', '.join(sorted(replay.Affected.CLASSES))}")
    time_zone, hour, minute = database.ask(
        "SELECT time_zone, extract(hour FROM refund_cutoff), extract(minute FROM refund_cutoff) FROM legacy.settings")[0]
    gc.disable()  # millions of small objects and no cycles: looking for those would take a third of the time
    lines = database.copy_out("SELECT payload FROM legacy.raw_events ORDER BY raw_id")
    books = replay.replay(line.rstrip(b"\n") for line in lines)
    found = replay.Affected(books, replay.Days(time_zone), int(hour) * 60 + int(minute)).of(shards)
    return {name: {"class": replay.Affected.CLASSES[name], "ids": ids} for name, ids in found.items()}


def export(database):
    rows = (HERE / "rows.sql").read_text(encoding="utf-8")
    sys.stdout.write(database.run("-c", f"COPY (SELECT * FROM ({rows}) AS lines ORDER BY line_no) TO STDOUT "
                                  "(FORMAT csv, HEADER)"))


# ---- Command line -------------------------------------------------------------------------------------------------


def perform(database, command, words):
    """What to print as JSON, or nothing."""
    match command, words:
        case "init", []:
            return database.file("schema.sql")
        case "load", [path]:
            return load(database, path)
        case "run", [day] if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
            return database.file("batch.sql", day=day)
        case "run-all", []:
            return run_all(database)
        case "reset", []:
            return reset(database)
        case "totals", [] | [_] if all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", day) for day in words):
            return totals(database, *words or [None])
        case "export", []:
            return export(database)
        case "bug", ["on" | "off" as state, *names]:
            return switch(database, names, state == "on")
        case "bugs", []:
            return defects(database)
        case "affected", [*names]:
            return affected(database, names)
    raise Failed(f"cannot do '{' '.join([command, *words])}'; --help tells what can be done")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection", required=True)
    parser.add_argument("command")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    try:
        answer = perform(Database(options.connection), options.command, options.words)
    except (Failed, OSError) as error:
        print(f"legacy_batch: {error}", file=sys.stderr)
        return 1
    if answer is not None:
        print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
