# SPDX-License-Identifier: Apache-2.0
"""Everything that can be closed: after close(), after a fork, and whether it leaks. The classes are those of the module: a new one that nobody
has told open_world.py of fails here."""

import pytest

import northwind
from closing_test import run
from open_world import CLASSES, OPENERS, open_all, uses


def test_every_class_is_known():
    assert sorted(OPENERS) == CLASSES


def test_use_after_close(tmp_path, postgres):
    world = open_all(tmp_path, postgres)
    calls = list(uses(world))
    assert {cls for cls, _, _ in calls} == set(CLASSES) and len(calls) > 150
    for name, opened in reversed(world.open.items()):
        assert opened.closed is False
        opened.close()
        opened.close()
        assert opened.closed is True, name
        with pytest.raises(northwind.Closed):
            opened.__enter__()
    for cls, name, call in calls:
        if name.endswith("(static)") and name != "import_journal(static)":
            continue  # of no object
        with pytest.raises(northwind.Closed):
            pytest.fail(f"{cls}.{name} answered {call()!r}")


def test_a_fork_is_refused_by_everything(tmp_path, postgres):
    end = run(
        """
        import os, sys, northwind
        from open_world import OPENERS, open_all, uses
        world = open_all(sys.argv[1], sys.argv[2])
        calls = [(cls, name, call) for cls, name, call in uses(world)]
        calls += [(cls, "close", opened.close) for cls, opened in world.open.items()]
        calls += [(cls, "with", opened.__enter__) for cls, opened in world.open.items()]
        calls += [(cls, "opening", lambda opener=opener: opener(world)) for cls, opener in OPENERS.items()]
        child = os.fork()
        if child == 0:
            for cls, name, call in calls:
                try:
                    answer = call()
                except northwind.ForkedProcess as error:
                    assert "spawn" in str(error)
                except BaseException as error:
                    print(cls, name, repr(error), flush=True)
                    os._exit(3)
                else:
                    print(cls, name, repr(answer), flush=True)
                    os._exit(4)
            del world, calls, call
            sys.exit(7)  # runs what Python runs at exit
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for cls, opened in reversed(world.open.items()):
            assert not opened.closed
            opened.close()
        print(status, len(calls) > 190)
        """,
        tmp_path, postgres,
    )  # fmt: skip
    assert (end.returncode, end.stdout, end.stderr) == (0, "7 True\n", "")


@pytest.mark.parametrize("name", CLASSES)
def test_a_fork_is_refused_whatever_was_open(tmp_path, postgres, name):
    """One of it alone, and what it stands on, is enough."""
    end = run(
        """
        import os, sys, northwind
        from open_world import World
        world = World(sys.argv[1], sys.argv[2])
        opened = getattr(world, sys.argv[3])
        child = os.fork()
        if child == 0:
            try:
                opened.close()
            except northwind.ForkedProcess:
                os._exit(7)
            os._exit(3)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        world.close()
        print(status)
        """,
        tmp_path, postgres, name,
    )  # fmt: skip
    assert (end.returncode, end.stdout, end.stderr) == (0, "7\n", "")


def test_closing_claims_hides_no_error(tmp_path, postgres):
    """What was raised within a loop over what asks them is what comes out, though its traceback holds the iterator."""
    northwind.PostgresClaims.migrate(postgres, schema="hides")
    with northwind.Store(tmp_path / "s") as store, northwind.Cutover(store, "salt") as cutover:
        cutover.add_merchants(["m1"], "ann")
        cutover.force_raise(10_000, "ann", "test")
        cutover.assign([(f"po_{n}", "m1") for n in range(3)])
        with pytest.raises(ZeroDivisionError):
            with northwind.PostgresClaims(postgres, schema="hides") as claims:
                for item in cutover.residue(claims):
                    raise ZeroDivisionError(item.assignment.id)
        assert claims.closed
        with northwind.PostgresClaims(postgres, schema="absent") as claims:
            iterator = cutover.residue(claims)
            with pytest.raises(northwind.FailedPrecondition):
                next(iterator)
        assert claims.closed
        with pytest.raises(northwind.Closed):
            next(iterator)


# ---- Leaks ----------------------------------------------------------------------------------------------------

# What 100 rounds may grow by: 5 KB each.
BOUND = 512 << 10


def grown(tmp_path, postgres, name, leaked):
    """What 100 rounds of opening and closing add to a process that does nothing else, a few times. `leaked` is what each keeps for ever."""
    end = run(
        """
        import sys
        from closing_test import grows
        from open_world import OPENERS, World
        path, postgres, name, leaked = sys.argv[1:]
        world, kept = World(path, postgres), []

        def step():
            opened = OPENERS[name](world)
            kept.append(eval(leaked))
            opened.close()

        getattr(world, name).close()  # what it stands on is open from here on
        # What the allocator keeps to itself comes in the beginning, or once: a leak does it every time.
        rounds = 25 if name == "Store" else 100  # one takes long, and has megabytes
        print(min([grows(step, 10, rounds) for _ in range(4)][1:]))
        """,
        tmp_path, postgres, name, leaked,
    )  # fmt: skip
    assert (end.returncode, end.stderr) == (0, "")
    return int(end.stdout)


@pytest.mark.parametrize("name", CLASSES)
def test_opening_and_closing_does_not_leak(tmp_path, postgres, name):
    assert grown(tmp_path, postgres, name, "None") <= BOUND


@pytest.mark.parametrize("name, leaked", [("Scheduler", "b'x' * 20_000"), ("PostgresClaims", "b'x' * 20_000")])
def test_a_leak_is_found(tmp_path, postgres, name, leaked):
    """The same of something of 20 KB a round: what the allocator gives back meanwhile is several KB of each."""
    assert grown(tmp_path, postgres, name, leaked) > BOUND
