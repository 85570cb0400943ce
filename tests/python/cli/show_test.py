# SPDX-License-Identifier: Apache-2.0
"""northwind show."""

import uuid

import northwind
from command_line import SHOP


def test_by_reference_key_and_sequence(settled):
    [capture, refund] = [settled("show", what, "--json").json() for what in ("pay_1", "pay_1/r_1")]
    assert capture["moved"][0] == {"debit": "processor:USD/2", "credit": SHOP, "asset": "USD/2", "units": "10000"}
    assert refund["kind"] == "reverse" and refund["target_sequence"] == capture["sequence"]
    assert capture["links"] == [refund["sequence"]] and capture["reversed"] == "2000"
    for same in (capture["key"], str(uuid.UUID(capture["key"])), capture["sequence"]):
        assert settled("show", same, "--json").json() == capture


def test_for_people(settled):
    text = settled("show", "po_1").out
    assert "posting       50.00 USD  merchant:m_42:available:USD/2 → bank:clearing:USD/2\n" in text
    assert "remaining     50.00 USD\n" in text and "code          1006\n" in text


def test_all_of_a_reference_and_one_that_looks_like_a_sequence(cli):
    with northwind.Ledger(cli.store) as ledger:
        card = ledger.open_account("card", "USD/2", external=True)
        shop = ledger.open_account("shop", "USD/2")
        for key in (1, 2):
            ledger.commit(northwind.Transaction(bytes([key] * 16), [(card, shop, key)], code=7, reference="12"))
        ledger.commit(northwind.Transaction(bytes([3] * 16), [(card, shop, 5)], reference=b"\x1b[31m\xff"))
    assert [row["moved"][0]["units"] for row in cli("show", "12", "--code", "7", "--json").rows()] == ["1", "2"]
    assert cli("show", "5", "--json").json()["reference_hex"] == "1b5b33316dff"
    # What others wrote does nothing to a terminal.
    text = cli("show", "5").out + cli("tail").out
    assert "\x1b" not in text and "\\x1b[31m\\xff" in text


def test_what_is_not_there(settled):
    assert "no applied transaction has the reference nobody" in settled.complains("show", "nobody", status=3)
    settled.complains("show", "0" * 32, status=3)
    settled.complains("show", "99999", status=3)
