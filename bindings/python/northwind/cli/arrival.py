# SPDX-License-Identifier: Apache-2.0
"""Files and directories that appear whole, or not at all."""

from __future__ import annotations

import contextlib
import os
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


@contextlib.contextmanager
def replacing(path: str) -> typing.Iterator[str]:
    """A path beside a file, which is replaced by what is written there, unless there is an error."""
    partial = f"{path}.partial-{os.getpid()}"
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        raise
