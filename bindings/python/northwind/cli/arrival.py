# SPDX-License-Identifier: Apache-2.0
"""Files and directories that appear whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import typing

from . import exits


def sync(path: str) -> None:
    """Puts a file or a directory on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def appearing(target: str) -> typing.Iterator[str]:
    """A path beside a directory that must not exist: what is made there gets that name in the end, and goes away after an error."""
    if os.path.lexists(target):
        raise exits.Complaint(exits.STATE, f"{target} is there already")
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    partial = f"{target}.partial-{os.getpid()}"
    try:
        yield partial
        sync(partial)
        os.rename(partial, target)
        sync(parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _runs(pid: int) -> bool:
    """Whether there is such a process, as far as this one can see. One that has ended and was not asked how does not run."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # somebody else's
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return True


def _remove_left_overs(path: str) -> None:
    """Files that `replacing` made beside `path` in processes that were killed. One with the number of this process is of another, before."""
    directory, name = os.path.split(path)
    left = re.compile(re.escape(name) + r"\.partial-([1-9][0-9]*)")
    with contextlib.suppress(FileNotFoundError), os.scandir(directory or ".") as entries:
        for entry in entries:
            match = left.fullmatch(entry.name)
            if match is None or not entry.is_file(follow_symlinks=False):
                continue
            if int(match[1]) == os.getpid() or not _runs(int(match[1])):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


@contextlib.contextmanager
def replacing(path: str) -> typing.Iterator[str]:
    """A path beside a file, which is replaced by what is written there, unless there is an error. What a kill left of it goes away first."""
    _remove_left_overs(path)
    partial = f"{path}.partial-{os.getpid()}"
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        raise
