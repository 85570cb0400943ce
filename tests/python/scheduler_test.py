# SPDX-License-Identifier: Apache-2.0
"""Durable timers."""

import datetime
import signal
import subprocess
import sys

import pytest

import northwind
from conftest import NOON
from northwind import DeathCause, Finish, FinishOutcome, IfScheduled, KeyOrder, RetryPolicy, ScheduleOutcome, TaskSpec, TaskState, Verdict

MINUTE = datetime.timedelta(minutes=1)


class Timers:
    def __init__(self, path):
        self.now = NOON
        self.store = northwind.Store(path)
        self.scheduler = northwind.Scheduler(self.store, clock=lambda: self.now, seed=1, jump_threshold=datetime.timedelta(days=1000))

    def close(self):
        self.scheduler.close()
        self.store.close()


@pytest.fixture
def timers(tmp_path):
    timers = Timers(tmp_path / "s")
    yield timers
    timers.close()


def test_a_task_is_claimed_when_it_is_due_and_gone_when_it_is_done(timers):
    s = timers.scheduler
    assert s.schedule(TaskSpec("a", "mail", b"\x00x", key="m1", due=NOON + MINUTE)) is ScheduleOutcome.SCHEDULED
    assert s.claim("mail") == [] and s.task("a").state is TaskState.WAITING
    timers.now += MINUTE
    (task,) = s.claim("mail", 10, lease=30)
    assert (task.id, task.payload, task.key, task.attempt) == ("a", b"\x00x", "m1", 1)
    assert task.leased_until == timers.now + datetime.timedelta(seconds=30)
    assert s.extend(task, MINUTE) is FinishOutcome.DONE
    assert s.complete(task, host_records={"done": b"a"}) is FinishOutcome.DONE and timers.store.get("done") == b"a"
    assert s.complete(task, host_records={"done": b"b"}) is FinishOutcome.STALE and timers.store.get("done") == b"a"
    with pytest.raises(northwind.NotFound):
        s.task("a")


def test_a_task_that_fails_is_tried_by_its_policy_and_then_dead(timers):
    s = timers.scheduler
    policy = RetryPolicy(delays=[0, MINUTE, 120.0])
    s.schedule(TaskSpec("a", "q", policy=policy))
    for wait, outcome in ((MINUTE, FinishOutcome.WAITS), (2 * MINUTE, FinishOutcome.WAITS), (MINUTE, FinishOutcome.DEAD)):
        (task,) = s.claim("q")
        assert s.retry(task.handle, "busy") is outcome
        assert s.claim("q") == []
        timers.now += wait
    dead = s.task("a")
    assert dead.state is TaskState.DEAD and dead.cause is DeathCause.ATTEMPTS and dead.last_error == "busy" and dead.policy == policy
    assert list(s.dead(queue="q")) == [dead] and list(s.dead(start=timers.now)) == []
    assert s.redrive(["a", "nobody"]) == 1 and [t.attempt for t in s.claim("q")] == [1]


def test_many_in_one_write(timers):
    s = timers.scheduler
    assert s.schedule([TaskSpec(f"t{i:04}", "q") for i in range(2500)], host_records={"cursor": b"7"}) == [
        ScheduleOutcome.SCHEDULED
    ] * 2500
    assert timers.store.get("cursor") == b"7"
    assert s.schedule(TaskSpec("t0000", "q", if_scheduled=IfScheduled.KEEP)) is ScheduleOutcome.KEPT
    assert [t.id for t in s.tasks("q")] == [f"t{i:04}" for i in range(2500)]
    claimed = s.claim("q", 2000)
    assert s.finish([Finish(t, Verdict.KILL if i % 2 else Verdict.COMPLETE, error="no") for i, t in enumerate(claimed)]) == [
        FinishOutcome.DEAD if i % 2 else FinishOutcome.DONE for i in range(2000)
    ]
    assert s.stats().tasks == 1500 and s.stats().queues[0].dead == 1000
    assert len(list(s.dead())) == 1000 and s.discard_all(id_prefix="t00") == 50 and s.redrive_all(queue="q", per_second=100) == 950
    assert s.cancel(["t2499", "t2499"]) == [True, False]
    with pytest.raises(TypeError):
        s.cancel("t2498")


def test_queues_and_keys(timers):
    s = timers.scheduler
    s.configure_queue("q", max_per_key=1, order=KeyOrder.SKIP_DEAD)
    assert s.queue("q").max_per_key == 1 and s.queue("q").order is KeyOrder.SKIP_DEAD
    s.schedule([TaskSpec("a", "q", key="m"), TaskSpec("b", "q", key="m"), TaskSpec("c", "q", key="n")])
    assert [t.id for t in s.claim("q", 10)] == ["a", "c"]
    s.pause_queue("other")
    assert s.queue("other").paused
    s.resume_queue("other")
    s.configure_key("q", "m", paused=True)
    assert s.key("q", "m").paused
    s.resume_key("q", "m")
    s.pause_key("q", "n")
    assert s.key("q", "n") == s.key("q", "n") and not s.key("q", "m").paused
    with pytest.raises(northwind.InvalidArgument):
        s.schedule(TaskSpec("", "q"))


def test_everything_is_there_after_reopening(tmp_path):
    timers = Timers(tmp_path / "s")
    timers.scheduler.schedule([TaskSpec("a", "q", policy=RetryPolicy(delays=[0, 0])), TaskSpec("b", "q", due=NOON + MINUTE)])
    timers.scheduler.claim("q")
    timers.close()
    timers = Timers(tmp_path / "s")
    (task,) = timers.scheduler.claim("q")
    assert task.id == "a" and task.attempt == 2 and task.previous_unknown
    with pytest.raises(northwind.FailedPrecondition):
        timers.store.close()
    timers.close()
    with pytest.raises(northwind.Closed):
        timers.scheduler.stats()


def test_ctrl_c_ends_a_wait(tmp_path):
    code = """
import sys, northwind
with northwind.Store(sys.argv[1]) as store, northwind.Scheduler(store) as scheduler:
    try:
        print("begun", flush=True)
        scheduler.claim("q", wait=3600)
    except KeyboardInterrupt:
        print("interrupted")
"""
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60)[0] == "interrupted\n"
        finally:
            process.kill()
