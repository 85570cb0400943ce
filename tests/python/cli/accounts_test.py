# SPDX-License-Identifier: Apache-2.0
"""northwind accounts, balance and history."""

import re

from command_line import SHOP


def test_a_table_of_accounts(settled):
    assert settled("accounts", "merchant:").out == (
        "ACCOUNT                        AVAILABLE     POSTED       HELD  STATE\n"
        "merchant:m_42:available:JPY/0    900 JPY    900 JPY      0 JPY  open\n"
        "merchant:m_42:available:USD/2  26.80 USD  76.80 USD  50.00 USD  open\n"
    )


def test_accounts_as_json(settled):
    rows = settled("accounts", "--json").rows()
    assert {row["name"]: int(row["posted"]) for row in rows} == {
        SHOP: 7680, "merchant:m_42:available:JPY/0": 900, "platform:fees:USD/2": 320, "processor:USD/2": -8000, "processor:JPY/0": -900,
        "bank:clearing:USD/2": 0,
    }
    assert [row["name"] for row in settled("accounts", "--json", "-n", "2").rows()] == sorted(row["name"] for row in rows)[:2]
    # On one that is only to receive something that is held, something is held.
    assert len(settled("accounts", "--nonzero", "--json").rows()) == 6
    assert settled("accounts", "nobody").err == "northwind: no accounts\n"


def test_a_balance_now_and_then(settled):
    row = settled("balance", SHOP, "--json").json()
    assert (row["available"], row["posted"], row["debits_held"]) == ("2680", "7680", "5000")
    first = settled("show", "pay_1", "--code", "1001", "--json").json()["sequence"]
    assert settled("balance", SHOP, "--at", first, "--json").json()["available"] == "9680"
    assert settled("balance", SHOP, "--at", first - 1, "--json").json()["available"] == "0"
    assert settled("balance", SHOP, "--at", "0", "--json").json()["available"] == "0"
    assert settled("balance", SHOP, "--at", "2024-03-01", "--json").json()["available"] == "0"
    assert settled("balance", SHOP, "--at", "2199-01-01T00:00:00Z", "--json").json()["available"] == "2680"
    today = settled("show", "pay_1", "--code", "1001", "--json").json()["recorded_at"][:10]
    assert settled("balance", SHOP, "--at", today, "--json").json()["available"] in ("2680", "9680")
    assert len(settled("balance", SHOP, "processor:USD/2", "--json").rows()) == 2


def test_a_balance_that_is_not_there(settled):
    assert "no account" in settled.complains("balance", "nobody", status=3)
    assert "past the head" in settled.complains("balance", SHOP, "--at", "99999", status=5)
    assert "is no time" in settled.complains("balance", SHOP, "--at", "yesterday", status=2)


def test_history(settled):
    rows = settled("history", SHOP, "--json").rows()
    assert [(row["kind"], row["amount"], row["available"]) for row in rows] == [
        ("hold_debit", "5000", "2680"), ("debit", "2000", "7680"), ("debit", "320", "9680"),
        ("credit", "10000", "10000"),
    ]
    assert rows == settled("history", SHOP, "--json", "--oldest-first").rows()[::-1]
    assert settled("history", SHOP, "--json", "-n", "2").rows() == rows[:2]
    assert [row["code"] for row in settled("history", SHOP, "--json", "--code", "1002").rows()] == [1002]
    assert settled("history", SHOP, "--to", "2024-01-01").err == "northwind: no entries\n"
    table = settled("history", SHOP, "-n", "1").out.splitlines()
    assert re.fullmatch(r" +\d+  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  hold_debit  50.00 USD  26.80 USD  1006", table[1])
