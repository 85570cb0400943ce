# SPDX-License-Identifier: Apache-2.0
"""Exit statuses by kind, and the one sentence that goes with an error."""

from __future__ import annotations

import errno
import typing

from .. import errors

OK = 0
NO = 1
USAGE = 2
NOT_FOUND = 3
STATE = 4
BAD_INPUT = 5
LATER = 6
DAMAGED = 7
UNKNOWN_OUTCOME = 8
FORBIDDEN = 9
MISSING_LIBRARY = 10
DEFECT = 70
INTERRUPTED = 130
BROKEN_PIPE = 141
TERMINATED = 143

TABLE = (
    (OK, "done"),
    (NO, "done, and the answer is no: events in quarantine, transactions refused, differences or problems found"),
    (USAGE, "the command line makes no sense"),
    (NOT_FOUND, "there is no such store, account, transaction, file, …"),
    (STATE, "not in this state: the store is open elsewhere, something is there already, …"),
    (BAD_INPUT, "a value or a file cannot be understood; nothing was done"),
    (LATER, "queue or disk full, or something outside cannot be reached: try again later"),
    (DAMAGED, "stored bytes are damaged, or are not those that they should be"),
    (UNKNOWN_OUTCOME, "a write failed and its outcome is unknown: run the same command again, which tells the truth"),
    (FORBIDDEN, "not allowed by the file system, or credentials are not good"),
    (MISSING_LIBRARY, "an optional Python package is needed for this and is not installed"),
    (DEFECT, "a defect of northwind"),
    (INTERRUPTED, "Ctrl-C; what was committed stays"),
    (BROKEN_PIPE, "whoever read the output went away"),
    (TERMINATED, "SIGTERM; what was committed stays"),
)


class Terminated(BaseException):
    """SIGTERM."""


class Complaint(Exception):
    """An error with its exit status: one clear sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


_BY_CLASS: tuple[tuple[type[BaseException], int], ...] = (
    (errors.NotFound, NOT_FOUND),
    (errors.TransactionError, NO),
    (errors.DataLoss, DAMAGED),
    (errors.Indeterminate, UNKNOWN_OUTCOME),
    (errors.AlreadyExists, STATE),
    (errors.FailedPrecondition, STATE),
    (errors.InvalidArgument, BAD_INPUT),
    (errors.OutOfRange, BAD_INPUT),
    (errors.ResourceExhausted, LATER),
    (errors.Unavailable, LATER),
    (errors.DeadlineExceeded, LATER),
    (errors.Cancelled, INTERRUPTED),
    (errors.PermissionDenied, FORBIDDEN),
    (errors.Unauthenticated, FORBIDDEN),
)

_BY_ERRNO = {
    errno.ENOENT: NOT_FOUND, errno.ENOTDIR: NOT_FOUND, errno.EISDIR: BAD_INPUT, errno.EEXIST: STATE, errno.ENOTEMPTY: STATE,
    errno.EACCES: FORBIDDEN, errno.EPERM: FORBIDDEN, errno.EROFS: FORBIDDEN,
}


def status_of(error: BaseException) -> int | None:
    """The exit status for an error; nothing for one that nobody foresaw."""
    if isinstance(error, Complaint):
        return error.status
    for kind, status in _BY_CLASS:
        if isinstance(error, kind):
            return status
    if isinstance(error, errors.Error):
        return DEFECT
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, LATER)
    return None


def code_of(error: BaseException) -> str:
    """What `--json` has as the error's code."""
    if isinstance(error, errors.Error):
        return error.code
    status = status_of(error)
    names: dict[int | None, str] = {
        NO: "NO", USAGE: "INVALID_ARGUMENT", NOT_FOUND: "NOT_FOUND", STATE: "FAILED_PRECONDITION", BAD_INPUT: "INVALID_ARGUMENT",
        LATER: "UNAVAILABLE", DAMAGED: "DATA_LOSS", FORBIDDEN: "PERMISSION_DENIED", MISSING_LIBRARY: "MISSING_LIBRARY",
    }
    return names.get(status, "INTERNAL")


def sentence_of(error: BaseException) -> str:
    """One line, whatever the error has to say."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    text = " ".join(str(error).split())
    return text or type(error).__name__


def need(module: str, what: str) -> typing.Any:
    """Imports an optional package, or says how to get it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.split(".")[0]
        raise Complaint(MISSING_LIBRARY, f"{what} needs {package}, which is not installed: pip install {package}") from None
