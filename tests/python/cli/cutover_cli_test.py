# SPDX-License-Identifier: Apache-2.0
"""northwind cutover."""

import csv
import datetime
import json
import os
import pty
import signal
import uuid

import compare_world
import northwind
import pytest
from command_line import EVENTS
from compare_world import COLUMNS, MAPPING, ONE, World, row

SALT = ["--salt", "2026-spring"]
WHO = ["--actor", "ann", "--reason", "to try"]
RUN = ["--mapping", "batch.json", "--no-totals", "--gate-days", "1"]
PAYOUT = EVENTS[3]


@pytest.fixture
def compared(cli):
    """A day of the parallel run, yesterday, that was closed and is clean; and a cutover with its merchant, which has 99.00 USD."""
    yesterday = datetime.datetime.now(datetime.timezone.utc).date() - ONE
    world = World(cli.store, day=yesterday + ONE)
    world.now = datetime.datetime.now(datetime.timezone.utc)
    world.capture("p1", 9_900, day=yesterday)
    (cli.directory / "batch.json").write_text(northwind.format_mapping(MAPPING))
    world.run.ingest("nightly", COLUMNS, [row("p1", "99.00", day=yesterday)])
    assert world.close_day(yesterday).clean
    world.close()
    cli("cutover", "begin", *SALT)
    cli("cutover", "add-merchants", "m1", "m3", "--actor", "ann", *SALT)
    return cli


def status_of(cli):
    return cli("cutover", "status", *SALT, "--json").json()


def log_of(cli):
    return cli("cutover", "log", *SALT, "--json").rows()


def answering(cli, answer, *arguments):
    """Runs a command with a terminal to ask on; its status, and all that the terminal showed."""
    leader, follower = pty.openpty()
    process = cli.start(*arguments, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    text, answered = "", False
    try:
        while piece := os.read(leader, 65536).decode():
            text += piece
            if "[y/N]" in text and not answered:
                answered = True
                if answer is signal.SIGINT:
                    process.send_signal(answer)
                else:
                    os.write(leader, answer)
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(leader)
    return process.wait(120), text.replace("\r\n", "\n")


def test_raising_shows_what_it_moves_and_needs_the_gate(compared):
    run = [*RUN, *WHO, *SALT]
    # The stages are the service's.
    stages = ["--stages", "5000,10000"]
    end = compared("cutover", "raise", "--yes", *run, *stages)
    assert "threshold    0 % → 50 %\nmerchants    0 → 1 of 2\n" in end.out and "\ngate  open\n" in end.out
    assert "their money  0.00 USD → 99.00 USD of 99.00 USD" in end.out and "moves        m1\n" in end.out
    assert "not told of epoch" in end.err
    line = log_of(compared)[-1]
    assert (line["action"], line["actor"], line["reason"]) == ("raise", "ann", "to try") and "gate: 1 clean days" in line["detail"]
    # A stage is judged by days of its own.
    assert "the last raise was on" in compared("cutover", "raise", "--yes", *run, *stages, status=4).err
    assert status_of(compared)["threshold"] == 5000
    end = compared("cutover", "raise", "--yes", *run, *stages, "--days-between-raises", "0", "--json").json()
    assert end["done"] and end["gate"]["open"] and end["status"]["threshold"] == 10_000
    assert end["preview"]["then"] == {"merchants": 2, "units": {"USD/2": "9900"}} and end["preview"]["moved"] == ["m3"]
    assert "the last stage" in compared("cutover", "raise", "--yes", *run, *stages, status=4).err


def test_a_shut_gate_says_why_and_nothing_is_changed(compared):
    with northwind.Ledger(compared.store) as ledger, northwind.Intake(ledger) as intake:
        # Recorded since, and not followed: it has no row of the batch, and is late.
        day = datetime.datetime.now(datetime.timezone.utc).date() - ONE
        event = northwind.PaymentEvent(
            northwind.EventType.PAYMENT_CAPTURED, "m1", compare_world.noon(day), payment_id="late", amount=("USD/2", 5)
        )
        intake.apply([event])
    before = log_of(compared)
    for action in ("raise", "resume-routing"):
        end = compared("cutover", action, "--yes", *RUN, *WHO, *SALT, status=1)
        assert "gate     shut\nbecause  " in end.out and end.err.endswith("the gate is shut: nothing was changed\n")
        end = compared("cutover", action, "--yes", *RUN, *WHO, *SALT, "--json", "-q", status=1)
        assert end.json()["done"] is False and end.json()["gate"]["reasons"] and end.err == ""
    assert log_of(compared) == before
    # By force, it says so.
    end = compared("cutover", "raise", "--force", "10000", "--yes", *WHO, *SALT, "--json").json()
    assert end["done"] and end["gate"] is None and status_of(compared)["threshold"] == 10_000
    compared("cutover", "route-to-batch", *WHO, *SALT)
    assert status_of(compared)["routed_to_batch"]
    assert compared("cutover", "peek", "m1", *SALT, "--json").json()["system"] == "batch"
    end = compared("cutover", "resume-routing", "--force", "--yes", *WHO, *SALT)
    assert "merchants    0 → 2 of 2" in end.out and not status_of(compared)["routed_to_batch"]
    assert compared("cutover", "peek", "m1", *SALT, "--json").json() == {
        "merchant_id": "m1", "system": "northwind", "bucket": northwind.cutover_bucket("2026-spring", "m1"),
    }
    actions = [(line["action"], line["detail"]) for line in log_of(compared)][len(before):]
    assert [action for action, _ in actions] == ["force_raise", "route_to_batch", "force_resume_routing"]
    assert "without the gate" in actions[0][1] and "without the gate" in actions[2][1]


def test_going_up_asks_at_the_terminal(compared):
    command = ["cutover", "raise", "10000", "--force", *WHO, *SALT]
    assert "give --yes" in compared.complains(*command, status=2)
    for answer in (b"n\n", b"\n", b"\x04"):
        status, text = answering(compared, answer, *command)
        assert status == 1 and "moves        m1, m3\n" in text and "nothing was changed" in text
    status, text = answering(compared, signal.SIGINT, *command)
    assert status == 130 and "Traceback" not in text
    assert status_of(compared)["threshold"] == 0
    status, text = answering(compared, b"y\n", *command)
    assert status == 0 and "threshold  100 % of merchants" in text and status_of(compared)["threshold"] == 10_000


def test_what_is_no_way_up(compared):
    up = ["cutover", "raise", "--yes", *WHO, *SALT]
    assert "the next stage is 500" in compared("cutover", "raise", "2500", "--yes", *RUN, *WHO, *SALT, status=4).err
    assert "needs a threshold" in compared.complains(*up, "--force", status=2)
    assert "which mapping?" in compared.complains(*up, status=2)
    compared.complains(*up, "--force", "10001", status=2)
    assert "--reason" in compared.complains("cutover", "raise", "--force", "500", "--yes", "--actor", "ann", *SALT, status=2)
    compared("cutover", "raise", "--force", "500", "--yes", "--actor", "ann", "--reason", "", *SALT, status=5)
    assert status_of(compared)["threshold"] == 0
    # Another mapping would make all days stale, and shut the gate.
    other = json.loads((compared.directory / "batch.json").read_text())
    other["skipped_statuses"] = ["VOID"]
    (compared.directory / "other.json").write_text(json.dumps(other))
    assert "--new-mapping" in compared.complains(*up, "--mapping", "other.json", "--no-totals", "--gate-days", "1", status=4)
    (compared.directory / "none.json").write_text("{}")
    assert "none.json: " in compared.complains(*up, "--mapping", "none.json", status=5)
    assert compared("compare", "gate", *RUN, "--json").json()["open"] is True
    assert compared("compare", "gate", "--mapping", "other.json", "--new-mapping", *RUN[2:], "--json", status=1).json()["open"] is False


def test_the_gate_of_a_store_without_a_parallel_run(settled):
    (settled.directory / "batch.json").write_text(northwind.format_mapping(MAPPING))
    settled("cutover", "begin", *SALT)
    assert "no parallel run" in settled.complains("cutover", "raise", "--yes", *RUN, *WHO, *SALT, status=4)
    assert "no parallel run" in settled.complains("compare", "gate", *RUN, status=4)


def test_a_shadow_stays_with_the_batch(cli):
    cli("init", "--shadow")
    cli("cutover", "begin", *SALT)
    assert "shadow" in cli("cutover", "raise", "500", "--force", "--yes", *WHO, *SALT, status=4).err


def test_ids_are_assigned_for_good_and_merchants_come_from_a_file(settled):
    settled("cutover", "begin", *SALT)
    settled("cutover", "add-merchants", "--file", "-", "--actor", "ann", *SALT, input=b"m_1\n\n m_2 \n")
    settled("cutover", "override", "m_1", "allow", *WHO, *SALT)
    assert settled("cutover", "assign", "po_1", "m_1", *SALT, "--json").json()["system"] == "northwind"
    with open(settled.directory / "tonight.csv", "w", newline="") as file:
        csv.writer(file).writerows([("po_1", "m_1"), ("po_2", "m_2"), ("po_3", "m_3")])
    rows = settled("cutover", "assign", "--file", "tonight.csv", *SALT, "--json").rows()
    assert [(row["id"], row["system"], row["reason"]) for row in rows] == [
        ("po_1", "northwind", "allowed"), ("po_2", "batch", "bucket"), ("po_3", "batch", "unknown_merchant"),
    ]
    settled.complains("cutover", "assign", "po_1", "m_2", *SALT, status=5)
    settled.complains("cutover", "assign", "po_1", *SALT, status=2)
    settled.complains("cutover", "assign", "po_1", "m_1", "--file", "tonight.csv", *SALT, status=2)
    settled.complains("cutover", "assign", "--file", "absent.csv", *SALT, status=3)
    assert "'po_1'" in settled.complains("cutover", "assign", "--file", "-", *SALT, status=5, input=b"po_1\n")
    settled.complains("cutover", "add-merchants", "--actor", "ann", *SALT, status=2)
    # A slip, and one whose request has not come yet.
    settled.complains("cutover", "finish", "po_9", *SALT, status=3)
    settled("cutover", "assign", "po_4", "m_1", *SALT)
    assert "no payout po_4 was requested" in settled.complains("cutover", "finish", "po_4", *SALT, status=4)
    # Money is held for po_1: it has not ended.
    assert "money is held for po_1" in settled.complains("cutover", "finish", "po_1", *SALT, status=4)
    settled.settle([{**PAYOUT, "type": "PAYOUT_PAID", "occurred_at": "2024-03-03T12:00:00Z"}])
    assert settled("cutover", "finish", "po_1", *SALT, "--json").json() == {"finished": 1, "residue": 1}


def test_overrides_are_listed_with_who_set_them_and_why(settled):
    settled("cutover", "begin", *SALT)
    end = settled("cutover", "overrides", *SALT)
    assert end.out == "" and "no overrides" in end.err
    assert settled("cutover", "overrides", *SALT, "--json").rows() == []
    for merchant, value, actor, reason in (("m_3", "allow", "maria", "goes first"), ("m_1", "deny", "bob", "too large"), ("m_2", "deny", "bob", "odd figures")):
        settled("cutover", "override", merchant, value, "--actor", actor, "--reason", reason, *SALT)
    rows = settled("cutover", "overrides", *SALT, "--json").rows()
    times = [datetime.datetime.fromisoformat(row.pop("at")) for row in rows]
    assert rows == [
        {"merchant_id": "m_1", "override": "deny", "actor": "bob", "reason": "too large", "line": 2},
        {"merchant_id": "m_2", "override": "deny", "actor": "bob", "reason": "odd figures", "line": 3},
        {"merchant_id": "m_3", "override": "allow", "actor": "maria", "reason": "goes first", "line": 1},
    ]
    assert times[2] <= times[0] <= times[1]
    lines = settled("cutover", "overrides", *SALT).out.splitlines()
    assert lines[0].split() == ["MERCHANT", "OVERRIDE", "AT", "ACTOR", "REASON"] and len(lines) == 4
    assert lines[3].split()[:2] == ["m_3", "allow"] and lines[3].endswith("maria  goes first")
    rows = settled("cutover", "overrides", "--after", "m_1", "-n", "1", *SALT, "--json").rows()
    assert [row["merchant_id"] for row in rows] == ["m_2"]
    settled("cutover", "override", "m_2", "none", *WHO, *SALT)
    assert [row["merchant_id"] for row in settled("cutover", "overrides", *SALT, "--json").rows()] == ["m_1", "m_3"]
    settled.complains("cutover", "overrides", "-n", "0", *SALT, status=2)


def test_a_preview_by_values_of_a_file(compared):
    (compared.directory / "march.csv").write_text("m1,USD/2,500\nm3,USD/2,250\nm3,JPY/0,7\n")
    end = compared("cutover", "preview", "5000", "--values", "march.csv", *SALT, "--json").json()
    assert end["units"] == {"USD/2": "750", "JPY/0": "7"} and end["then"] == {"merchants": 1, "units": {"USD/2": "500"}}
    text = compared("cutover", "preview", "5000", "--values", "march.csv", *SALT).out
    assert "their money  0.00 USD → 5.00 USD of 7.50 USD\nmoves        m1\n" in text
    (compared.directory / "march.csv").write_text("m1,USD/2,5.00\n")
    assert "row 1" in compared.complains("cutover", "preview", "5000", "--values", "march.csv", *SALT, status=5)


def test_what_goes_down_and_cannot_be_written_does_not_hold_and_says_so(settled):
    settled("cutover", "begin", *SALT)
    before = status_of(settled)
    for action in ("route-to-batch", "stop-sending"):
        sentence = settled.complains("cutover", action, *WHO, *SALT, "--free-space-floor", 1 << 40, status=6)
        assert "so nothing is changed" in sentence and "free space" in sentence
    after = status_of(settled)
    assert {**after, "at": None} == {**before, "at": None} and log_of(settled) == []


def test_the_log_after_a_line(settled):
    settled("cutover", "begin", *SALT)
    settled("cutover", "stop-sending", *WHO, *SALT)
    settled("cutover", "resume-sending", *WHO, *SALT)
    assert [line["number"] for line in settled("cutover", "log", "--after", "1", *SALT, "--json").rows()] == [2]


def test_payouts_are_shown_beside_a_cutover(settled):
    settled("cutover", "begin", *SALT)
    assert "no payouts" in settled("payouts").err


@pytest.fixture
def rolled_back(settled, postgres):
    """Four payouts that northwind was to pay, with claims in a schema of their own: po_1 has money held for it and nobody has claimed it, po_2
    is the batch's, po_3 northwind's, and of po_4 the ledger knows nothing."""
    schema = f"claims_{uuid.uuid4().hex}"
    settled.environment.update(NORTHWIND_CLAIMS_CONNECTION=postgres, NORTHWIND_CUTOVER_SALT="2026-spring")
    settled.schema = ["--schema", schema]
    assert settled("cutover", "migrate-claims", *settled.schema, "--json").json() == {"schema": schema, "migrated": True}
    settled("cutover", "begin")
    settled("cutover", "add-merchants", "m_42", "--actor", "ann", *settled.schema)
    settled("cutover", "raise", "10000", "--force", "--yes", *WHO, *settled.schema)
    for id_ in ("po_1", "po_2", "po_3", "po_4"):
        settled("cutover", "assign", id_, "m_42")
    with northwind.PostgresClaims(postgres, schema=schema) as claims:
        epoch = claims.published_epoch()
        for id_, system in (("po_2", northwind.SettlementSystem.BATCH), ("po_3", northwind.SettlementSystem.NORTHWIND)):
            claims.claim(northwind.ClaimRequest(id_, "m_42", system, epoch, id_.encode().ljust(16)))
    settled("cutover", "route-to-batch", *WHO, *settled.schema)
    return settled


def test_after_a_rollback_what_nobody_has_claimed_goes_back(rolled_back):
    schema = rolled_back.schema
    status = rolled_back("cutover", "status", *schema, "--json").json()
    assert status["published_epoch"] == status["epoch"] and status["residue"] == 4
    rows = rolled_back("cutover", "residue", *schema, "--json").rows()
    assert {row["id"]: row["claimed_by"] for row in rows} == {"po_1": None, "po_2": "batch", "po_3": "northwind", "po_4": None}
    rows = rolled_back("cutover", "residue", "--unclaimed", *schema, "--json").rows()
    assert [row["id"] for row in rows] == ["po_1", "po_4"]
    command = ["cutover", "hand-back", "--all", *WHO, *schema]
    assert "give --yes" in rolled_back.complains(*command, status=2)
    assert "with --json: give --yes" in rolled_back(*command, "--json", status=2).err
    status, text = answering(rolled_back, b"no\n", *command)
    assert status == 1 and "hand 2 unclaimed of 4 ids to the batch for good? [y/N]" in text and "po_3" in text
    assert len(rolled_back("cutover", "residue", "--unclaimed", *schema, "--json").rows()) == 2
    end = rolled_back(*command, "--yes", "--json")
    assert end.json() == {"handed": 1, "kept": 1, "before": 1, "finished": 1} and "close the days" in end.err
    assert rolled_back("cutover", "find", "po_1", *schema, "--json").json()["claim"]["system"] == "batch"
    assert "claimed by   northwind" in rolled_back("cutover", "find", "po_3", *schema).out
    assert "claimed by   nobody" in rolled_back("cutover", "find", "po_4", *schema).out
    # Again, and for some of them only: nothing is handed twice.
    end = rolled_back("cutover", "hand-back", "po_1", "po_3", "--yes", *WHO, *schema, "--json").json()
    assert end == {"handed": 0, "kept": 1, "before": 1, "finished": 0}
    assert [line["action"] for line in rolled_back("cutover", "log", "--json").rows()].count("handed_back") == 2
    rolled_back.complains("cutover", "hand-back", "po_9", "--yes", *WHO, *schema, status=3)
    rolled_back.complains("cutover", "hand-back", "--yes", *WHO, *schema, status=2)


def test_the_epoch_is_published_and_goes_up_after_a_restore(rolled_back):
    schema = rolled_back.schema
    rolled_back("checkpoint", "backup")
    rolled_back("cutover", "stop-sending", *WHO, *schema)
    rolled_back("restore", "backup", "-s", "old.db")
    text = rolled_back("cutover", "status", *schema, "-s", "old.db").out
    assert "claims of this store are stale" in text
    status = rolled_back("cutover", "status", *schema, "-s", "old.db", "--json").json()
    assert status["published_epoch"] == status["epoch"] + 1
    end = rolled_back("cutover", "advance-epoch", "100", *WHO, *schema, "-s", "old.db", "--json").json()
    assert end["epoch"] == 100
    assert rolled_back("cutover", "status", *schema, "--json").json()["published_epoch"] == 100
    rolled_back.complains("cutover", "advance-epoch", "100", *WHO, *schema, "-s", "old.db", status=5)


def test_a_change_holds_though_the_arbiter_is_away(rolled_back):
    rolled_back.environment["NORTHWIND_CLAIMS_CONNECTION"] = "host=/nonexistent"
    end = rolled_back("cutover", "stop-sending", *WHO, "--json", status=6)
    assert end.json()["sending_stopped"] is True and "the change is made" in json.loads(end.err)["error"]["message"]
    end = rolled_back("cutover", "status", "--json")
    assert end.json()["sending_stopped"] is True and end.json()["published_epoch"] is None and "not known" in end.err
    rolled_back.complains("cutover", "publish-epoch", status=6)
    rolled_back("cutover", "hand-back", "--all", "--yes", *WHO, status=6)
    del rolled_back.environment["NORTHWIND_CLAIMS_CONNECTION"]
    assert "where are the claims?" in rolled_back.complains("cutover", "publish-epoch", status=2)


def test_a_cutover_is_begun_once_looked_at_and_taken_back(settled):
    assert "no cutover has begun" in settled.complains("cutover", "status", *SALT, status=4)
    settled("cutover", "begin", *SALT)
    assert "already" in settled.complains("cutover", "begin", *SALT, status=4)
    settled.complains("cutover", "status", "--salt", "other", status=4)
    assert "which salt?" in settled.complains("cutover", "status", status=2)
    who = ["--actor", "ann", "--reason", "to try"]
    settled("cutover", "add-merchants", "m_1", "m_2", "m_3", "--actor", "ann", *SALT)
    with northwind.Ledger(settled.store) as ledger, northwind.Cutover(ledger.store, "2026-spring") as cutover:
        cutover.force_raise(10_000, "ann", "test")
        cutover.assign([("po_9", "m_1")])
    status = settled("cutover", "status", *SALT, "--json").json()
    assert (status["merchants"], status["threshold"], status["residue"]) == (3, 10_000, 1)
    assert settled("cutover", "find", "po_9", *SALT, "--json").json()["system"] == "northwind"
    preview = settled("cutover", "preview", "0", *SALT, "--json").json()
    assert (preview["now"]["merchants"], preview["then"]["merchants"]) == (3, 0) and sorted(preview["moved"]) == ["m_1", "m_2", "m_3"]
    assert settled("cutover", "override", "m_2", "deny", *who, *SALT, "--json").json()["denied"] == 1
    assert settled("cutover", "override", "m_2", "none", *who, *SALT, "--json").json()["denied"] == 0
    assert settled("cutover", "lower", "500", *who, *SALT, "--json").json()["threshold"] == 500
    assert settled("cutover", "route-to-batch", *who, *SALT, "--json").json()["routed_to_batch"] is True
    assert settled("cutover", "stop-sending", *who, *SALT, "--json").json()["sending_stopped"] is True
    assert settled("cutover", "resume-sending", *who, *SALT, "--json").json()["sending_stopped"] is False
    lines = settled("cutover", "log", *SALT, "--json").rows()
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["action"] for line in lines][-4:] == ["lower", "route_to_batch", "stop_sending", "resume_sending"]
    assert all(line["actor"] == "ann" for line in lines[1:])
    assert "is none of allow, deny, none" in settled.complains("cutover", "override", "m_2", "maybe", *who, *SALT, status=2)
    settled.complains("cutover", "lower", "9000", *who, *SALT, status=5)


def test_residue_with_claims_in_postgres(settled, postgres):
    northwind.PostgresClaims.migrate(postgres)
    with northwind.Ledger(settled.store) as ledger, northwind.Cutover(ledger.store, "2026-spring") as cutover:
        cutover.add_merchants(["m_1"], "ann")
        cutover.force_raise(10_000, "ann", "test")
        cutover.assign([("po_9", "m_1")])
    [row] = settled("cutover", "residue", "--claims", postgres, *SALT, "--json").rows()
    assert (row["id"], row["claimed_by"]) == ("po_9", None)
    settled.complains("cutover", "residue", "--claims", "host=/nonexistent", *SALT, status=6)
