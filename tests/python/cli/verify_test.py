# SPDX-License-Identifier: Apache-2.0
"""northwind verify."""

import northwind


def head_of(cli):
    head = cli("verify", "--json").json()["head"]
    return f"{head['sequence']}:{head['hash']}"


def test_a_good_ledger(settled):
    report = settled("verify", "--json").json()
    assert report["transactions_applied"] == 4 and report["open_holds"] == 1 and report["accounts"] == 6
    assert f"head        {head_of(settled)}\n" in settled("verify").out


def test_an_expected_head(settled, tmp_path):
    before = head_of(settled)
    settled("verify", "--expect", before)
    settled.settle([{"type": "ADJUSTMENT", "payment_id": "a", "occurred_at": "2024-03-02T12:00:00Z", "merchant_id": "m_42",
                     "direction": "CREDIT", "amount": {"asset": "USD/2", "units": "1"}}])
    after = head_of(settled)
    settled("verify", "--expect", before)
    settled("verify", "--expect", after)
    other = before[:-1] + ("0" if before[-1] != "0" else "1")
    assert "another journal" in settled.complains("verify", "--expect", other, status=7)
    sequence, digest = after.split(":")
    assert "its end is gone" in settled.complains("verify", "--expect", f"{int(sequence) + 1}:{digest}", status=7)
    assert "SEQUENCE:HASH" in settled.complains("verify", "--expect", "12", status=2)


def test_a_damaged_ledger(cli):
    secret = b"mark-of-a-reference" * 4
    with northwind.Ledger(cli.store) as ledger:
        card, shop = ledger.open_account("card", "USD/2", external=True), ledger.open_account("shop", "USD/2")
        ledger.commit(northwind.Transaction(bytes(16), [(card, shop, 1)], reference=secret[:100]))
        for n in range(1, 50):
            ledger.commit(northwind.Transaction(bytes([n] * 16), [(card, shop, n)]))
    damaged = 0
    for path in cli.store.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        if secret in data:
            path.write_bytes(data.replace(b"mark-of", b"Mark-of", 1))
            damaged += 1
    assert damaged
    assert "northwind: " in cli.complains("verify", status=7)
