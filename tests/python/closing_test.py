# SPDX-License-Identifier: Apache-2.0
"""Threads, forks, signals, the end of the process, leaks, asyncio."""

import asyncio
import gc
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

import northwind
from conftest import NOON, Book
from northwind import Outcome, Transaction


def run(code, *arguments, **options):
    """A program of its own, which can import northwind and the tests' own modules."""
    path = os.pathsep.join([str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        # Python 3.12 and newer warn of every fork beside threads; what comes of one is what is tested.
        [sys.executable, "-X", "dev", "-W", "ignore:This process:DeprecationWarning", "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path}, **options,
    )


# ---- Threads --------------------------------------------------------------------------------------------------


def test_threads_share_a_ledger(tmp_path):
    """Writers and readers at once; every payment is there once, whoever sent it first."""
    book = Book(tmp_path / "l")
    stop = threading.Event()
    failures = []

    def write(thread):
        try:
            for i in range(40):
                book.ledger.commit([book.pay(f"{i}/{j}", 1) for j in range(25)])
                book.ledger.commit(book.pay(f"{thread}/{i}", 1))
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    def read():
        try:
            while not stop.is_set():
                sequence = book.ledger.head.sequence
                assert book.ledger.balance(book.shop).available >= book.ledger.balance(book.shop, at=sequence).available
                assert [r.sequence for r in book.ledger.journal(max(0, sequence - 100))][0] >= 1
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(4)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert failures == []
    assert book.ledger.balance(book.shop).available == 40 * 25 + 4 * 40
    book.ledger.verify()
    book.ledger.close()


def test_closing_while_others_are_in_calls(tmp_path):
    """They end with Closed or Cancelled, or a refusal, and nothing is pulled from under them."""
    for round in range(10):
        book = Book(tmp_path / str(round))
        begun = threading.Barrier(4)
        ends = []

        def follow():
            begun.wait()
            try:
                for _ in book.ledger.journal(follow=True):
                    pass
            except northwind.Error as error:
                ends.append(error)

        def commit(n):
            begun.wait()
            try:
                for i in range(10_000):
                    book.ledger.commit(book.pay(f"{n}/{i}"))
            except northwind.Error as error:
                ends.append(error)

        threads = [threading.Thread(target=follow)] + [threading.Thread(target=commit, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        begun.wait()
        book.ledger.close()
        for thread in threads:
            thread.join()
        assert len(ends) == 3
        assert all(isinstance(e, (northwind.Closed, northwind.Cancelled, northwind.FailedPrecondition)) for e in ends)
        # The last call that was under way gave the directory free.
        with northwind.Store(tmp_path / str(round)) as store, northwind.Ledger(store) as ledger:
            ledger.verify()


def test_other_threads_run_while_one_waits(tmp_path):
    """A thread that follows the journal does not keep the GIL: this one commits what it waits for."""
    book = Book(tmp_path / "l")
    seen = []
    iterator = book.ledger.journal(3, follow=True)
    thread = threading.Thread(target=lambda: seen.append(next(iterator)))
    thread.start()
    book.ledger.commit(book.pay("a"))
    thread.join(60)
    assert [r.sequence for r in seen] == [4]
    book.ledger.close()


# ---- Fork -----------------------------------------------------------------------------------------------------


def test_a_fork_after_opening_is_refused_clearly(tmp_path):
    end = run(
        """
        import os, sys, northwind
        from conftest import Book
        book = Book(sys.argv[1])
        journal = book.ledger.journal()
        next(journal)
        child = os.fork()
        if child == 0:
            uses = [lambda: book.ledger.balance(1), lambda: book.ledger.commit(book.pay("a")), lambda: book.ledger.store.get("k"),
                    lambda: book.ledger.close(), lambda: northwind.Store(sys.argv[1] + ".new"), lambda: list(book.ledger.journal())]
            for use in uses:
                try:
                    use()
                except northwind.ForkedProcess as error:
                    assert "spawn" in str(error) and error.code == "FORKED_PROCESS"
                else:
                    os._exit(3)
            del book, journal, uses
            sys.exit(7)  # runs what Python runs at exit
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        book.ledger.commit(book.pay("a"))
        book.ledger.verify()
        book.ledger.close()
        print("parent is well")
        """,
        tmp_path / "l",
    )
    assert (end.returncode, end.stdout, end.stderr) == (0, "parent is well\n", "")


def test_a_fork_before_opening_is_fine(tmp_path):
    end = run(
        """
        import os, sys, northwind
        from conftest import Book
        child = os.fork()
        if child == 0:
            book = Book(sys.argv[1] + "/child")
            book.ledger.commit(book.pay("a"))
            book.ledger.close()
            sys.exit(0)
        book = Book(sys.argv[1] + "/parent")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with northwind.Ledger(sys.argv[1] + "/child") as ledger:
            print(ledger.head.sequence)
        """,
        tmp_path,
    )
    assert (end.returncode, end.stdout, end.stderr) == (0, "4\n", "")


def _in_spawned(path):
    with northwind.Ledger(path) as ledger:
        return ledger.head.sequence


def test_children_by_spawn_are_fine(tmp_path):
    Book(tmp_path / "l").ledger.close()
    with northwind.Ledger(tmp_path / "open"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply(_in_spawned, (tmp_path / "l",)) == 3


# ---- Signals and the end of the process -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        "book.ledger.verify(lambda checked, head: print('begun', flush=True))",
        "print('begun', flush=True) or list(book.ledger.journal(follow=True))",
        "[print('begun', flush=True) or sum(1 for _ in book.ledger.journal()) for _ in range(10**6)]",
    ],
)
def test_ctrl_c_ends_long_calls(tmp_path, call):
    code = f"""
    import sys
    from conftest import Book
    book = Book(sys.argv[1])
    for n in range(10):
        book.ledger.commit([book.pay(f"{{n}}/{{i}}") for i in range(8000)])
    try:
        while True:
            {call}
    except KeyboardInterrupt:
        book.ledger.commit(book.pay("after"))
        book.ledger.close()
        print("interrupted")
    """
    path = os.pathsep.join([str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "l")],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    ) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
            assert out.splitlines()[-1] == "interrupted" and process.returncode == 0
        finally:
            process.kill()


def test_what_is_open_at_the_end_of_the_process_is_closed(tmp_path):
    end = run(
        """
        import sys, threading
        from conftest import Book
        book = Book(sys.argv[1])
        book.ledger.commit(book.pay("a"))
        book.cycle = book
        threading.Thread(target=lambda: list(book.ledger.journal(follow=True)), daemon=True).start()
        """,
        tmp_path / "l",
    )
    assert end.returncode == 0, end.stderr
    with northwind.Ledger(tmp_path / "l") as ledger:
        # Closed, not killed: the indexes were written.
        assert ledger.stats().replayed_at_open == 0 and ledger.head.sequence == 4


# ---- Leaks ----------------------------------------------------------------------------------------------------


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grows(step, warm, steps):
    for _ in range(warm):
        step()
    gc.collect()
    before = resident()
    for _ in range(steps):
        step()
    gc.collect()
    return resident() - before


def test_calls_do_not_leak(book):
    """What is made for a call goes with it: 2 MB for 100,000 objects each would be 20 bytes an object."""
    book.ledger.commit([book.pay(str(i), 2**80, reference="x" * 100) for i in range(1000)])
    transactions = [book.pay(str(i), 2**80, reference="x" * 100) for i in range(1000)]

    def step():
        for result in book.ledger.commit(transactions, balances=True):
            result.balances, result.recorded_at, repr(result)
        for record in book.ledger.journal():
            record.recorded_at
        for entry in book.ledger.history(book.shop):
            entry.after.available, hash(entry)
        for _ in range(100):
            with pytest.raises(northwind.Conflict):
                book.ledger.commit(book.pay("1", 5))
            with pytest.raises(TypeError):
                Transaction(b"0" * 16, [(1, 2, "x")])
        book.ledger.verify(lambda checked, head: None)

    assert grows(step, 10, 100) < 2 << 20


def test_opening_and_closing_does_not_leak(tmp_path):
    def step():
        book = Book(tmp_path / "l", clock=lambda: NOON)
        book.ledger.commit(book.pay("a"))
        book.ledger.close()

    assert grows(step, 10, 40) < 4 << 20


# ---- asyncio --------------------------------------------------------------------------------------------------


def test_commits_are_awaited(book):
    async def main():
        one = await book.ledger.commit_async(book.pay("a"), balances=True)
        assert one.outcome is Outcome.APPLIED and one.balances[book.shop].available == 10_000
        many = await asyncio.gather(*(book.ledger.commit_async([book.pay(f"{i}/{j}", 1) for j in range(50)]) for i in range(20)))
        assert all(r.outcome is Outcome.APPLIED for results in many for r in results)
        # In the order of the calls.
        sequences = [r.sequence for results in many for r in results]
        assert sequences == sorted(sequences)
        with pytest.raises(northwind.Conflict) as conflict:
            await book.ledger.commit_async(book.pay("a", 1))
        assert conflict.value.result.sequence == one.sequence
        with pytest.raises(northwind.InvalidArgument):
            await book.ledger.commit_async([])

    asyncio.run(main())
    assert book.ledger.balance(book.shop).available == 11_000


def test_cancelling_the_wait_takes_nothing_back(book):
    trouble = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: trouble.append(context))
        future = book.ledger.commit_async(book.pay("a"))
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        await book.ledger.commit_async(book.pay("b"))
        await asyncio.sleep(0)  # one turn of the loop: the answer to the first has come by now

    asyncio.run(main())
    assert trouble == []
    assert book.ledger.balance(book.shop).available == 20_000


def test_a_loop_that_is_gone_is_no_trouble(tmp_path):
    book = Book(tmp_path / "l")

    async def main():
        book.ledger.commit_async(book.pay("a"))

    asyncio.run(main())
    book.ledger.close()
    with northwind.Ledger(tmp_path / "l") as ledger:
        assert ledger.balance("merchant:1:available").available == 10_000


def test_awaiting_needs_a_loop(book):
    with pytest.raises(RuntimeError):
        book.ledger.commit_async(book.pay("a"))
    assert book.ledger.balance(book.shop).available == 0
