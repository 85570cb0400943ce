# SPDX-License-Identifier: Apache-2.0
"""The exceptions of northwind.

Every one has a `code`, a short constant that programs may compare and logs may keep. What it means for money:

========================  =======================  ==================================================================
exception                 code                     what happened, and what to do
========================  =======================  ==================================================================
InvalidArgument           INVALID_ARGUMENT         The call makes no sense as it is; nothing was done.
OutOfRange                OUT_OF_RANGE             Likewise: a place or number that is not there.
NotFound                  NOT_FOUND                There is no such thing.
AlreadyExists             ALREADY_EXISTS           There is one already, and it is another.
FailedPrecondition        FAILED_PRECONDITION      Not in this state. After Indeterminate: open store and ledger again.
Closed                    CLOSED                   The object was closed.
ForkedProcess             FORKED_PROCESS           The process was forked after northwind had been opened in it.
ResourceExhausted         RESOURCE_EXHAUSTED       Queue or disk full; nothing was done: try later.
Unavailable               UNAVAILABLE              Something outside cannot be reached now: try later.
DeadlineExceeded          DEADLINE_EXCEEDED        It took longer than it was given.
Cancelled                 CANCELLED                It was stopped on the way.
Indeterminate             ABORTED                  A write failed, and whether it happened is unknown. Open again and
                                                   send the same keys again: they tell the truth.
DataLoss                  DATA_LOSS                Stored bytes are damaged; the message names where.
PermissionDenied          PERMISSION_DENIED        Not allowed, by the file system or a service.
Unauthenticated           UNAUTHENTICATED          Credentials or a signature are not good.
Internal                  INTERNAL                 A defect.
------------------------  -----------------------  ------------------------------------------------------------------
TransactionError                                   A transaction was not applied; `result` is its CommitResult.
Conflict                  CONFLICT                 Its key stands for another transaction; nothing was done.
Rejected                  REJECTED                 The ledger said no, and will say so for this key for ever.
InsufficientFunds         INSUFFICIENT_FUNDS       Rejected: an account would have fallen below its limit.
Deferred                  DEFERRED                 May become possible, as its target or account is not there yet.
InvalidTransaction        INVALID_TRANSACTION      Malformed in itself; nothing was journaled.
========================  =======================  ==================================================================
"""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from ._northwind import CommitResult

__all__ = [
    "AlreadyExists", "Cancelled", "Closed", "Conflict", "DataLoss", "DeadlineExceeded", "Deferred", "Error",
    "FailedPrecondition", "ForkedProcess", "Indeterminate", "InsufficientFunds", "Internal", "InvalidArgument",
    "InvalidTransaction", "NotFound", "OutOfRange", "PermissionDenied", "Rejected", "ResourceExhausted",
    "TransactionError", "Unauthenticated", "Unavailable",
]


class Error(Exception):
    """The base of all exceptions of northwind."""

    code: str = "UNKNOWN"


class InvalidArgument(Error, ValueError):
    """The call makes no sense as it is; nothing was done."""

    code = "INVALID_ARGUMENT"


class OutOfRange(Error, ValueError):
    """A place or number that is not there; nothing was done."""

    code = "OUT_OF_RANGE"


class NotFound(Error, LookupError):
    """There is no such thing."""

    code = "NOT_FOUND"


class AlreadyExists(Error):
    """There is one already, and it is another."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(Error):
    """Not in this state. After Indeterminate: open store and ledger again."""

    code = "FAILED_PRECONDITION"


class Closed(FailedPrecondition):
    """The object was closed."""

    code = "CLOSED"


class ForkedProcess(FailedPrecondition):
    """The process was forked after northwind had been opened in it: its threads are not here.

    Open in the child only, or start children by `spawn` or `forkserver`.
    """

    code = "FORKED_PROCESS"


class ResourceExhausted(Error):
    """Queue or disk full; nothing was done: try later."""

    code = "RESOURCE_EXHAUSTED"


class Unavailable(Error):
    """Something outside cannot be reached now: try later."""

    code = "UNAVAILABLE"


class DeadlineExceeded(Error, TimeoutError):
    """It took longer than it was given."""

    code = "DEADLINE_EXCEEDED"


class Cancelled(Error):
    """It was stopped on the way."""

    code = "CANCELLED"


class Indeterminate(Error):
    """A write failed, and whether it happened is unknown.

    Open store and ledger again and send the same keys again: they tell the truth.
    """

    code = "ABORTED"


class DataLoss(Error):
    """Stored bytes are damaged; the message names where."""

    code = "DATA_LOSS"


class PermissionDenied(Error):
    """Not allowed, by the file system or a service."""

    code = "PERMISSION_DENIED"


class Unauthenticated(Error):
    """Credentials or a signature are not good."""

    code = "UNAUTHENTICATED"


class Internal(Error):
    """A defect."""

    code = "INTERNAL"


class TransactionError(Error):
    """A transaction was not applied. Raised where one is committed by itself; batches return results."""

    def __init__(self, message: str, result: CommitResult) -> None:
        super().__init__(message, result)
        self.result = result

    def __str__(self) -> str:
        return str(self.args[0])


class Conflict(TransactionError):
    """The key stands for another transaction; nothing was done. `result.conflict` names the first difference."""

    code = "CONFLICT"


class Rejected(TransactionError):
    """The ledger said no, and will say so for this key for ever. `result.reason` says why."""

    code = "REJECTED"


class InsufficientFunds(Rejected):
    """An account would have fallen below its limit."""

    code = "INSUFFICIENT_FUNDS"


class Deferred(TransactionError):
    """May become possible: its target, or an account, is not there yet. Nothing was journaled."""

    code = "DEFERRED"


class InvalidTransaction(TransactionError, ValueError):
    """Malformed in itself; nothing was journaled."""

    code = "INVALID_TRANSACTION"
