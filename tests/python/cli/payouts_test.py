# SPDX-License-Identifier: Apache-2.0
"""northwind payouts."""

import northwind



class Bank:
    def submit(self, payout):
        return northwind.RailState.PAID

    def query(self, payout):
        return northwind.RailState.UNKNOWN


def pay(cli, work):
    with northwind.Ledger(cli.store) as ledger, northwind.Scheduler(ledger.store) as scheduler:
        with northwind.Intake(ledger, scheduler=scheduler) as intake, northwind.Payouts(ledger, scheduler, intake, Bank()) as payouts:
            while payouts.follow_once():
                pass
            if work:
                payouts.work_once()
                while payouts.follow_once():
                    pass


def test_what_was_not_followed_is_said(settled):
    end = settled("payouts")
    assert end.out == "" and "payouts are followed up to record 0 of" in end.err and "no payouts" in end.err
    assert settled("payouts", "-q").err == ""


def test_a_list_and_one(settled):
    pay(settled, work=False)
    [row] = settled("payouts", "--json").rows()
    assert (row["payout_id"], row["state"], row["units"], row["submits"]) == ("po_1", "requested", "5000", 0)
    # Looking pays nothing.
    assert settled("payouts", "po_1", "--json").json()["submits"] == 0
    pay(settled, work=True)
    assert settled("payouts", "--state", "paid", "--json").json()["payout_id"] == "po_1"
    assert settled("payouts", "--state", "requested", "--json").rows() == []
    assert settled("payouts", "--merchant", "m_1", "--json").rows() == []
    assert settled("payouts", "--to", row["requested_at"], "--json").rows() == []
    assert settled("payouts", "--from", row["requested_at"], "--json").json()["state"] == "paid"
    shown = settled("payouts", "po_1", "--json").json()
    assert [moment["what"] for moment in shown["timeline"]] == ["PAYOUT_REQUESTED", "submit", "PAYOUT_PAID"]
    assert "PAYOUT_PAID" in settled("payouts", "po_1").out
    assert settled("payouts").out.splitlines()[1].startswith("po_1    m_42      50.00 USD  paid   20")


def test_what_is_not_there(settled):
    settled.complains("payouts", "po_9", "-q", status=3)
    assert "is none of rejected, requested" in settled.complains("payouts", "--state", "lost", status=2)
