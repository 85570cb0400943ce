# SPDX-License-Identifier: Apache-2.0
"""northwind tail."""

import json
import signal
import subprocess

import northwind
from command_line import EVENTS


def test_the_last_lines(settled):
    rows = settled("tail", "--json", "-n", "3").rows()
    head = settled("verify", "--json").json()["head"]["sequence"]
    assert [row["sequence"] for row in rows] == [head - 2, head - 1, head] and rows[2]["kind"] == "hold"
    assert settled("tail", "-n", "0").out == ""
    assert settled("tail", "-n", "1").out.endswith("hold      po_1  50.00 USD  merchant:m_42:available:USD/2 → bank:clearing:USD/2\n")
    assert len(settled("tail", "--json", "-n", "1000").rows()) == head


def test_it_follows_what_others_write_and_lets_them_write(settled):
    follower = settled.start("tail", "-f", "-n", "1", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        seen = json.loads(follower.stdout.readline())["sequence"]
        for n in range(3):
            settled.settle([{**EVENTS[0], "payment_id": f"new_{n}"}])
            row = json.loads(follower.stdout.readline())
            assert (row["sequence"], row["reference"]) == (seen + 1, f"new_{n}")
            seen += 1
        # Somebody who keeps the store open is waited for, which is said once.
        keeper = settled.start("settle", "-", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        note = json.loads(follower.stderr.readline())["note"]
        assert note == "another process has the store open; what it writes is shown when it lets go"
        keeper.communicate(json.dumps({**EVENTS[0], "payment_id": "kept"}), timeout=60)
        assert json.loads(follower.stdout.readline())["reference"] == "kept"
        follower.send_signal(signal.SIGINT)
        out, err = follower.communicate(timeout=60)
    finally:
        follower.kill()
        follower.wait()
    assert follower.returncode == 130 and out == ""
    assert json.loads(err.splitlines()[-1]) == {"error": {"code": "CANCELLED", "message": "interrupted; what was committed stays"}}


def test_a_follower_ends_when_its_reader_goes_away_though_nothing_is_recorded(settled):
    follower = settled.start("tail", "-f", "-n", "1", "--interval", "1m", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert follower.stdout.readline()
        follower.stdout.close()
        assert (follower.stderr.read(), follower.wait(30)) == ("", 141)
    finally:
        follower.kill()
        follower.wait()
        follower.stderr.close()


def test_the_interval_has_bounds(settled):
    for text in ("1ms", "2m", "soon"):
        settled.complains("tail", "-f", "--interval", text, status=2)
    assert settled("tail", "--interval", "10ms", "-n", "1").out


def test_all_kinds_of_records_have_a_line(cli):
    now = [1_700_000_000_000_000_000]
    with northwind.Ledger(cli.store, clock=lambda: now[0]) as ledger:
        card, shop = ledger.open_account("card", "USD/2", external=True), ledger.open_account("shop", "USD/2")
        ledger.commit(northwind.Transaction(
            bytes(16), [(card, shop, 7)], kind=northwind.TransactionKind.HOLD, expires_at=now[0] + 10**9
        ))
        ledger.freeze(shop)
        now[0] += 2 * 10**9
        ledger.expire_holds()
        ledger.commit([northwind.Transaction(bytes([1] * 16), [(shop, card, 9)])])
    assert cli("tail").out == (
        "        1  2023-11-14T22:13:20Z  opened    card  USD/2  external\n"
        "        2  2023-11-14T22:13:20Z  opened    shop  USD/2\n"
        "        3  2023-11-14T22:13:20Z  hold        0.07 USD  card → shop\n"
        "        4  2023-11-14T22:13:20Z  changed   shop  frozen, limit 0\n"
        "        5  2023-11-14T22:13:22Z  expired   hold 3, 7 units released\n"
        "        6  2023-11-14T22:13:22Z  rejected post (account_frozen)   0.09 USD  shop → card\n"
    )
