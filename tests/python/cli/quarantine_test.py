# SPDX-License-Identifier: Apache-2.0
"""northwind quarantine."""

from command_line import EVENTS, lines

REFUND = EVENTS[2]


def test_list_redrive_and_discard(cli):
    cli("settle", "-", "--finish", status=1, input=lines([REFUND]) + b"\xff\n")
    rows = {row["cause"]: row for row in cli("quarantine", "list", "--json").rows()}
    assert rows["malformed"]["event_hex"] == "ff" and "pay_1" in rows["target_not_found"]["event"]
    assert cli("quarantine", "list", "--cause", "malformed", "--json").json() == rows["malformed"]
    cli.settle(EVENTS[:1])
    ends = {row["id"]: row for row in cli("quarantine", "redrive", "--all", "--json", status=1).rows()}
    assert ends[rows["target_not_found"]["id"]]["status"] == "applied"
    assert ends[rows["malformed"]["id"]]["status"] == "quarantined"
    assert cli("quarantine", "discard", rows["malformed"]["id"], "--json").json() == {"discarded": 1}
    assert cli("quarantine", "list").err == "northwind: the quarantine is empty\n"


def test_all_is_only_done_if_it_is_said(cli):
    cli("settle", "-", status=1, input=b"nonsense\n")
    assert "Give their ids, or --all" in cli.complains("quarantine", "discard", status=2)
    assert "32 hexadecimal digits" in cli.complains("quarantine", "discard", "ab", status=2)
    cli.complains("quarantine", "redrive", "0" * 32, status=3)
    assert len(cli("quarantine", "list", "--json").rows()) == 1
    assert cli("quarantine", "discard", "--all", "--json").json() == {"discarded": 1}
