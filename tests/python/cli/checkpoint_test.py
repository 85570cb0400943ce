# SPDX-License-Identifier: Apache-2.0
"""northwind checkpoint and restore."""

import shutil

import northwind
from command_line import EVENTS, SHOP


def test_there_and_back(settled, tmp_path):
    head = settled("checkpoint", "copy", "--json").json()["head"]
    settled.settle([{**EVENTS[0], "payment_id": "later"}])
    expect = f"{head['sequence']}:{head['hash']}"
    end = settled("restore", "copy", "-s", "back/again.db", "--expect", expect, "--json").json()
    assert end["head"] == head and end["verified"] is True
    assert settled("balance", SHOP, "-s", "back/again.db", "--json").json()["available"] == "2680"
    # A second one: the checkpoint is as it was.
    settled("restore", "copy", "-s", "second.db", "--no-verify")
    assert settled("verify", "-s", "second.db", "--json").json()["head"] == head
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "copy", "ledger.db", "second.db"]


def test_a_checkpoint_that_is_not_what_was_made_becomes_no_store(settled, tmp_path):
    head = settled("checkpoint", "copy", "--json").json()["head"]
    other = f"{head['sequence']}:{'0' * 64}"
    settled.complains("restore", "copy", "-s", "back.db", "--expect", other, status=7)
    tables = [path for path in (tmp_path / "copy").rglob("*.sst")]
    largest = max(tables, key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 0xFF
    # Hard links: damage a copy of the file only.
    largest.unlink()
    largest.write_bytes(data)
    settled.complains("restore", "copy", "-s", "back.db", status=7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "ledger.db"]
    settled("verify")


def test_what_is_there_is_not_overwritten(settled, tmp_path):
    settled("checkpoint", "copy")
    settled.complains("checkpoint", "copy", status=4)
    assert "is there already" in settled.complains("restore", "copy", status=4)
    settled.complains("restore", "absent", "-s", "x.db", status=3)
    (tmp_path / "empty").mkdir()
    assert "no store of northwind" in settled.complains("restore", "empty", "-s", "x.db", status=4)


def test_a_store_that_is_open_is_not_copied_by_its_files(settled, tmp_path):
    settled("checkpoint", "copy")
    shutil.copytree(tmp_path / "copy", tmp_path / "open.db")
    with northwind.Ledger(tmp_path / "open.db"):
        assert "open in another process" in settled.complains("restore", "open.db", "-s", "x.db", status=4)
    assert not (tmp_path / "x.db").exists()
