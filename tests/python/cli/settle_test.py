# SPDX-License-Identifier: Apache-2.0
"""northwind settle: files and standard input."""

import json

from command_line import EVENTS, SHOP, lines


def test_a_file_again_does_nothing_again(cli):
    (cli.directory / "events.jsonl").write_bytes(lines(EVENTS))
    first = cli("settle", "events.jsonl", "--json").json()
    assert (first["events"], first["applied"], first["duplicate"]) == (4, 4, 0)
    again = cli("settle", "events.jsonl", "--json").json()
    assert (again["applied"], again["duplicate"]) == (0, 4)
    assert cli("balance", SHOP, "--json").json()["available"] == "2680"


def test_each_event_has_its_line_whatever_is_between_them(cli):
    text = b"\n" + lines(EVENTS[:1]) + b"\r\n\n" + lines(EVENTS[1:2]) + b"nonsense"
    end = cli("settle", "-", "--each", "--json", "--batch", "2", status=1, input=text)
    rows = end.rows()
    assert [(row["position"], row["status"]) for row in rows[:-1]] == [(2, "applied"), (5, "applied"), (6, "quarantined")]
    assert rows[2]["cause"] == "malformed"
    assert rows[-1]["summary"]["empty_lines"] == 3 and rows[-1]["summary"]["events"] == 3
    assert cli("quarantine", "list", "--json").json()["position"] == 6


def test_what_waits_is_applied_by_a_later_run(cli):
    waits = cli.settle(EVENTS[2:3])
    assert "parked       1" in waits.out and "waiting now  1" in waits.out
    end = cli("settle", "-", "--json", input=lines(EVENTS[:1])).json()
    assert end["applied"] == 1 and end["late"] == {"applied": 1} and end["waiting"] == 0
    assert cli("balance", SHOP, "--json").json()["available"] == "7680"


def test_finish_gives_up_what_waits(cli):
    end = cli("settle", "-", "--finish", "--json", status=1, input=lines(EVENTS[2:3])).json()
    assert end["parked"] == 1 and end["late"] == {"quarantined": 1} and end["waiting"] == 0
    assert end["reasons"] == {"quarantined target_not_found": 1}


def test_a_line_that_is_too_long_is_one_event_and_the_next_one_is_read(cli):
    long = json.dumps({**EVENTS[0], "payment_id": "x" * 200_000}).encode() + b"\n"
    end = cli("settle", "-", "--json", status=1, input=long + lines(EVENTS[1:2])).json()
    assert (end["events"], end["applied"], end["quarantined"]) == (2, 1, 1)
    kept = cli("quarantine", "list", "--json").json()
    assert kept["bytes"] == 65_537


def test_a_rejected_event_is_an_answer(cli):
    end = cli("settle", "-", "--json", input=lines(EVENTS[3:])).json()
    assert end["rejected"] == 1 and end["reasons"] == {"rejected insufficient_funds": 1}


def test_what_makes_no_sense(cli):
    assert "Give files" in cli.complains("settle", status=2)
    assert "--follow is for a queue" in cli.complains("settle", "-", "--follow", status=2)
    assert "No such file" in cli.complains("settle", "absent.jsonl", status=3)
    assert "no whole number above zero" in cli.complains("settle", "-", "--batch", "0", status=2)


def test_a_file_that_is_not_there_makes_no_store(cli):
    cli.complains("settle", "absent.jsonl", status=3)
    (cli.directory / "there.jsonl").write_bytes(lines(EVENTS))
    cli.complains("settle", "there.jsonl", "absent.jsonl", status=3)
    cli.complains("settle", ".", status=5)
    assert not cli.store.exists()
    assert "a new store was made" in cli("settle", "there.jsonl").err and cli("settle", "there.jsonl").err == ""
