#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares a mirror in PostgreSQL with what the ledger says that it holds, by SQL of its own.

    compare_mirror.py --connection TEXT --dump FILE [--schema NAME]

dump   what the ledger holds (settle --dump)

Accounts are compared three times: the mirror's totals, the last running balance of the account's entries, and the sum of those entries.
Payouts: state and amounts. Uses psql, and nothing of the library. One JSON object on standard output; exit status 0 if all agrees, 1
if something differs, 2 if the mirror cannot be read.
"""
import argparse
import csv
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import recount  # noqa: E402

TOTALS = ("debits_posted", "credits_posted", "debits_held", "credits_held")

ACCOUNTS = "SELECT name, debits_posted, credits_posted, debits_held, credits_held, posted, available FROM accounts"

# The totals from single entries, and whether the last running balance is what they come to.
ENTRIES = """
SELECT name, debits_posted, credits_posted, debits_held, credits_held, posted, available
FROM (SELECT account_id,
        coalesce(sum(amount) FILTER (WHERE kind IN ('debit', 'capture_debit')), 0) AS debits_posted,
        coalesce(sum(amount) FILTER (WHERE kind IN ('credit', 'capture_credit')), 0) AS credits_posted,
        coalesce(sum(CASE kind WHEN 'hold_debit' THEN amount WHEN 'capture_debit' THEN -amount WHEN 'release_debit' THEN -amount
                     ELSE 0 END), 0) AS debits_held,
        coalesce(sum(CASE kind WHEN 'hold_credit' THEN amount WHEN 'capture_credit' THEN -amount WHEN 'release_credit' THEN -amount
                     ELSE 0 END), 0) AS credits_held
      FROM postings GROUP BY account_id) AS sums
JOIN (SELECT DISTINCT ON (account_id) account_id, posted, available FROM postings
      ORDER BY account_id, sequence DESC, entry DESC) AS last USING (account_id)
JOIN (SELECT account_id, name FROM accounts) AS names USING (account_id)
"""

PAYOUTS = """
SELECT payouts.payout_id, payouts.state, payouts.amount, payouts.paid, holds.released, payouts.returned
FROM payouts JOIN holds ON holds.sequence = payouts.hold_sequence
"""


def query(options, sql):
    """Rows, as text, all of one snapshot for each call."""
    words = ["psql", "--no-psqlrc", "--csv", "--tuples-only", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", options.connection]
    script = f"SET search_path = {options.schema}; SET TimeZone = 'UTC'; {sql};"
    done = subprocess.run(words, input=script, text=True, capture_output=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())
    return list(csv.reader(done.stdout.splitlines()))


def compare_accounts(found, expected, what, differ):
    for name in sorted(found.keys() | expected.keys()):
        totals = expected.get(name)
        if totals is not None:
            posted = totals[1] - totals[0]
            totals = [*totals, posted, posted - totals[2]]
        differ.note(f"{what} {name}", totals, found.get(name))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection", required=True)
    parser.add_argument("--dump", required=True)
    parser.add_argument("--schema", default="northwind")
    options = parser.parse_args()
    differ = recount.Differences()
    try:
        with open(options.dump, encoding="utf-8") as file:
            dump = json.load(file)
        accounts = {row[0]: [int(cell) for cell in row[1:]] for row in query(options, ACCOUNTS)}
        entries = {row[0]: [int(cell) for cell in row[1:]] for row in query(options, ENTRIES)}
        payouts = {row[0]: [row[1], *map(int, row[2:])] for row in query(options, PAYOUTS)}
        watermark = int(query(options, "SELECT sequence FROM watermark")[0][0])
    except (OSError, ValueError, KeyError, IndexError) as error:
        print(f"compare_mirror: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    expected = {name: [int(totals[slot]) for slot in TOTALS] for name, totals in dump["accounts"].items()}
    compare_accounts(accounts, expected, "account", differ)
    # An account that nothing has moved on has no entries.
    compare_accounts(entries, {name: totals for name, totals in expected.items() if any(totals) or name in entries},
                     "entries of account", differ)
    # One that was refused has no money held for it: it is a rejection.
    held = {payout_id: payout for payout_id, payout in dump["payouts"].items() if payout["state"] != "rejected"}
    for payout_id in sorted(payouts.keys() | held.keys()):
        payout = held.get(payout_id)
        if payout is not None:
            payout = [payout["state"], *(int(payout[name]) for name in ("requested", "paid", "released", "returned"))]
        differ.note("payout " + payout_id, payout, payouts.get(payout_id))
    result = {"watermark": watermark, "accounts": len(accounts), "payouts": len(payouts),
              "discrepancies": differ.number, "differences": differ.examples, "agrees": differ.number == 0}
    print(json.dumps(result))
    return 0 if result["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
