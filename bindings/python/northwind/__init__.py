# SPDX-License-Identifier: Apache-2.0
"""northwind: an embeddable, idempotent double-entry payments ledger.

    import northwind

    with northwind.Ledger("ledger.db") as ledger:
        card = ledger.open_account("world:card", "USD/2", external=True)
        shop = ledger.open_account("merchant:42:available", "USD/2")
        key = northwind.derive_key("pay_1", occurred_at)
        ledger.commit(northwind.Transaction(key, [(card, shop, 10_000)]))
        ledger.balance(shop).available   # 10_000, however often that is committed

Money is `int` in minor units, times are aware `datetime`s, keys are `bytes` or `uuid.UUID`. See docs/python.md.
"""

from __future__ import annotations

from . import enums as enums
from . import errors as errors
from ._arrays import JournalArrays
from ._northwind import (
    Account, AccountChanged, AccountOpened, AccountSpec, Balance, CommitResult, Entry, Head, HistoryCursor, Hold,
    HoldExpired, Ledger, LedgerStats, MAX_AMOUNT, Pages, Posting, Store, Target, Transaction, TransactionRecorded,
    TransactionView, VerifyReport, derive_key, format_amount, parse_amount,
)
from ._northwind import __version__ as __version__
from .enums import (
    AccountState, AdjustmentDirection, AttemptFailure, AttemptTrigger, BatchSystem, BreakerState, DeathCause,
    DeferredPolicy, DeliveryState, DisableReason, EndpointState, EntryKind, EventFormat, EventStatus, EventType,
    Field, FinishOutcome, IfScheduled, Jitter, KeyOrder, Outcome, PayoutState, QuarantineCause, RailCall,
    RailState, Reason, RecordType, RecoveryState, ScheduleOutcome, SignatureScheme, StoreMode, TaskState,
    TransactionKind,
)
from .errors import (
    AlreadyExists, Cancelled, Closed, Conflict, DataLoss, DeadlineExceeded, Deferred, Error, FailedPrecondition,
    ForkedProcess, Indeterminate, InsufficientFunds, Internal, InvalidArgument, InvalidTransaction, NotFound,
    OutOfRange, PermissionDenied, Rejected, ResourceExhausted, TransactionError, Unauthenticated, Unavailable,
)

__all__ = [
    "__version__",
    "Account", "AccountChanged", "AccountOpened", "AccountSpec", "AccountState", "AdjustmentDirection",
    "AlreadyExists", "AttemptFailure", "AttemptTrigger", "Balance", "BatchSystem", "BreakerState", "Cancelled",
    "Closed", "CommitResult", "Conflict", "DataLoss", "DeadlineExceeded", "DeathCause", "Deferred",
    "DeferredPolicy", "DeliveryState", "DisableReason", "EndpointState", "Entry", "EntryKind", "Error",
    "EventFormat", "EventStatus", "EventType", "FailedPrecondition", "Field", "FinishOutcome", "ForkedProcess",
    "Head", "HistoryCursor", "Hold", "HoldExpired", "IfScheduled", "Indeterminate", "InsufficientFunds",
    "Internal", "InvalidArgument", "InvalidTransaction", "Jitter", "JournalArrays", "KeyOrder", "Ledger",
    "LedgerStats", "MAX_AMOUNT", "NotFound", "OutOfRange", "Outcome", "Pages", "PayoutState", "PermissionDenied",
    "Posting", "QuarantineCause", "RailCall", "RailState", "Reason", "RecordType", "RecoveryState", "Rejected",
    "ResourceExhausted", "ScheduleOutcome", "SignatureScheme", "Store", "StoreMode", "Target", "TaskState",
    "Transaction", "TransactionError", "TransactionKind", "TransactionRecorded", "TransactionView",
    "Unauthenticated", "Unavailable", "VerifyReport", "derive_key", "format_amount", "parse_amount",
]
