# SPDX-License-Identifier: Apache-2.0
"""Opens what a command works on: the store, the ledger, and what stands on them."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
import typing

import northwind

from . import exits

MARKER = "NORTHWIND"
LOCK = "NORTHWIND.lock"
_POLL_SECONDS = 0.02


class InUse(exits.Complaint):
    """The store is open in another process."""

    def __init__(self, path: str) -> None:
        super().__init__(
            exits.STATE, f"store {path} is open in another process; stop that, ask it, or work on a checkpoint that it makes"
        )


def store_path(options: argparse.Namespace) -> str:
    if options.store == "":
        # Such as of a variable that is not set: not a reason to take another store.
        raise exits.Complaint(exits.USAGE, "--store is empty")
    path = options.store or os.environ.get("NORTHWIND_STORE")
    if not path:
        raise exits.Complaint(exits.USAGE, "which store? Give --store DIRECTORY, or set NORTHWIND_STORE")
    return str(path)


def is_store(path: str) -> bool:
    return os.path.exists(os.path.join(path, MARKER))


_ASK = """
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "rb"), fcntl.LOCK_SH | fcntl.LOCK_NB)
except BlockingIOError:
    print("locked")
"""


def in_use(path: str) -> bool:
    """Whether a process, this one included, has the store open.

    Asked by a process of its own: closing a file that this one has locked would give up the lock.
    """
    lock = os.path.join(path, LOCK)
    if not os.path.exists(lock):
        return False
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", _ASK, lock], stdout=subprocess.PIPE, check=True)
    return answer.stdout.strip() == b"locked"


def _open_store(options: argparse.Namespace, path: str, create: bool, mode: northwind.StoreMode) -> northwind.Store:
    """One process has a store open at a time. Another command lets it go soon; a service does not.

    To wait for the lock itself would be to hold it, and to give it up before the store is opened: that is no better than to try now and then.
    """
    settings: dict[str, typing.Any] = {}
    if options.free_space_floor is not None:
        settings["free_space_floor_bytes"] = options.free_space_floor << 20
    end = time.monotonic() + options.wait.total_seconds()
    while True:
        try:
            return northwind.Store(path, create=create, mode=mode, **settings)
        except northwind.FailedPrecondition as error:
            if "is open in another process" not in str(error):
                raise
            if time.monotonic() >= end:
                raise InUse(path) from None
        time.sleep(_POLL_SECONDS)


def open_ledger(
    options: argparse.Namespace, *, create: bool = False, mode: northwind.StoreMode = northwind.StoreMode.AS_IS
) -> northwind.Ledger:
    path = store_path(options)
    if not create and not os.path.isdir(path):
        raise exits.Complaint(exits.NOT_FOUND, f"there is no store at {path}; 'northwind init' makes one")
    if not create and not is_store(path):
        raise exits.Complaint(exits.STATE, f"{path} is a directory, but no store of northwind")
    store = _open_store(options, path, create, mode)
    try:
        return northwind.Ledger(store)
    except BaseException:
        store.close()
        raise


@contextlib.contextmanager
def ledger(
    options: argparse.Namespace, *, create: bool = False, mode: northwind.StoreMode = northwind.StoreMode.AS_IS
) -> typing.Iterator[northwind.Ledger]:
    opened = open_ledger(options, create=create, mode=mode)
    try:
        yield opened
    finally:
        store = opened.store
        opened.close()
        store.close()


class Settling(typing.NamedTuple):
    ledger: northwind.Ledger
    scheduler: northwind.Scheduler
    intake: northwind.Intake


@contextlib.contextmanager
def settling(options: argparse.Namespace, *, create: bool = False) -> typing.Iterator[Settling]:
    """A ledger with scheduler and intake. Parked events are durable."""
    with ledger(options, create=create) as opened, northwind.Scheduler(opened.store) as scheduler:
        with northwind.Intake(opened, scheduler=scheduler) as intake:
            yield Settling(opened, scheduler, intake)


def cutover_has_begun(store: northwind.Store) -> bool:
    return next(store.items("nw/cutover/"), None) is not None
