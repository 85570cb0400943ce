# SPDX-License-Identifier: Apache-2.0
"""northwind deadletters."""

import pytest

import northwind


@pytest.fixture
def dead(cli):
    with northwind.Store(cli.store) as store, northwind.Scheduler(store) as scheduler:
        scheduler.schedule([northwind.TaskSpec(f"task-{n}", f"queue-{n % 2}", b"\xff" if n else b"text") for n in range(6)])
        for queue in ("queue-0", "queue-1"):
            for task in scheduler.claim(queue, 10):
                scheduler.kill(task, f"no use\n{task.id}")
    return cli


def ids(cli, *filters):
    return [row["id"] for row in cli("deadletters", "list", "--json", *filters).rows()]


def test_list(dead):
    assert sorted(ids(dead)) == [f"task-{n}" for n in range(6)]
    assert sorted(ids(dead, "--queue", "queue-1")) == ["task-1", "task-3", "task-5"]
    assert ids(dead, "--prefix", "task-3") == ["task-3"]
    assert ids(dead, "--to", "2024-01-01") == [] and len(ids(dead, "-n", "2")) == 2
    row = dead("deadletters", "list", "--prefix", "task-0", "--json").json()
    assert row["payload"] == "text" and row["cause"] == "killed" and row["last_error"] == "no use\ntask-0"
    assert "no use\\x0atask-0" in dead("deadletters", "list").out


def test_redrive_and_discard(dead):
    assert dead("deadletters", "redrive", "task-0", "task-2", "task-9", "--json").json() == {"redriven": 2}
    assert dead("deadletters", "redrive", "--queue", "queue-0", "--per-second", "5", "--json").json() == {"redriven": 1}
    assert dead("deadletters", "discard", "task-1", "--json").json() == {"discarded": 1}
    assert sorted(ids(dead)) == ["task-3", "task-5"]
    assert dead("deadletters", "discard", "--all", "--json").json() == {"discarded": 2}
    assert dead("deadletters", "list").err == "northwind: no dead letters\n"


def test_which_ones_has_to_be_said(dead):
    for arguments in (["discard"], ["discard", "task-1", "--all"], ["redrive", "task-1", "--queue", "queue-1"]):
        assert "which tasks?" in dead.complains("deadletters", *arguments, status=2)
    assert "--per-second goes with" in dead.complains("deadletters", "redrive", "task-1", "--per-second", "1", status=2)
    assert len(ids(dead)) == 6
