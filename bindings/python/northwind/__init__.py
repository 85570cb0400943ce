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
    Account, AccountChanged, AccountOpened, AccountSpec, AuditReport, Balance, ClaimedTask, CommitResult,
    DeliveryName, Disabled, EndpointHealth, Entry, EventOutcome, Finish, Head, HistoryCursor, Hold, HoldExpired,
    Intake, IntakeResult, KeyConfig, LateOutcome, Ledger, LedgerStats, MAX_AMOUNT, Mirror, MirrorStats, Money,
    NewEndpoint, Pages, PaymentEvent, Payout, PayoutInstruction, PayoutMoment, Payouts, Posting, QuarantinedEvent,
    QueueConfig, QueueStats, RailAnswer, Recovery, RecoveryCount, RetryPolicy, Scheduler, SchedulerStats,
    SqsCounts, SqsSource, SqsStats, Store, Target, TaskHandle, TaskInfo, TaskSpec, Transaction,
    TransactionRecorded, TransactionView, VerifyReport, WebhookAttempt, WebhookDelivery, WebhookEndpoint,
    WebhookPolicy, WebhookStats, Webhooks, derive_key, format_amount, parse_amount, plan_webhook_attempts,
    verify_webhook, webhook_event_types,
)
from ._northwind import __version__ as __version__
from .enums import (
    AccountState, AdjustmentDirection, AttemptFailure, AttemptTrigger, BatchSystem, BreakerState, DeathCause,
    DeferredPolicy, DeliveryState, DisableReason, EndpointState, EntryKind, EventFormat, EventStatus, EventType,
    Field, FinishOutcome, IfScheduled, Jitter, KeyOrder, MirrorState, Outcome, PayoutState, QuarantineCause,
    RailCall, RailState, Reason, RecordType, RecoveryState, ScheduleOutcome, SignatureScheme, SqsBody, SqsPoison,
    SqsState, StoreMode, TaskState, TransactionKind, Verdict,
)
from .errors import (
    AlreadyExists, Cancelled, Closed, Conflict, DataLoss, DeadlineExceeded, Deferred, Error, FailedPrecondition,
    ForkedProcess, Indeterminate, InsufficientFunds, Internal, InvalidArgument, InvalidTransaction, NotFound,
    OutOfRange, PermissionDenied, Rejected, ResourceExhausted, TransactionError, Unauthenticated, Unavailable,
)

__all__ = [
    "__version__",
    "Account", "AccountChanged", "AccountOpened", "AccountSpec", "AccountState", "AdjustmentDirection",
    "AlreadyExists", "AttemptFailure", "AttemptTrigger", "AuditReport", "Balance", "BatchSystem", "BreakerState",
    "Cancelled", "ClaimedTask", "Closed", "CommitResult", "Conflict", "DataLoss", "DeadlineExceeded", "DeathCause",
    "Deferred", "DeferredPolicy", "DeliveryName", "DeliveryState", "DisableReason", "Disabled", "EndpointHealth",
    "EndpointState", "Entry", "EntryKind", "Error", "EventFormat", "EventOutcome", "EventStatus", "EventType",
    "FailedPrecondition", "Field", "Finish", "FinishOutcome", "ForkedProcess", "Head", "HistoryCursor", "Hold",
    "HoldExpired", "IfScheduled", "Indeterminate", "InsufficientFunds", "Intake", "IntakeResult", "Internal",
    "InvalidArgument", "InvalidTransaction", "Jitter", "JournalArrays", "KeyConfig", "KeyOrder", "LateOutcome",
    "Ledger", "LedgerStats", "MAX_AMOUNT", "Mirror", "MirrorState", "MirrorStats", "Money", "NewEndpoint",
    "NotFound", "OutOfRange", "Outcome", "Pages", "PaymentEvent", "Payout", "PayoutInstruction", "PayoutMoment",
    "PayoutState", "Payouts", "PermissionDenied", "Posting", "QuarantineCause", "QuarantinedEvent", "QueueConfig",
    "QueueStats", "RailAnswer", "RailCall", "RailState", "Reason", "RecordType", "Recovery", "RecoveryCount",
    "RecoveryState", "Rejected", "ResourceExhausted", "RetryPolicy", "ScheduleOutcome", "Scheduler",
    "SchedulerStats", "SignatureScheme", "SqsBody", "SqsCounts", "SqsPoison", "SqsSource", "SqsState", "SqsStats",
    "Store", "StoreMode", "Target", "TaskHandle", "TaskInfo", "TaskSpec", "TaskState", "Transaction",
    "TransactionError", "TransactionKind", "TransactionRecorded", "TransactionView", "Unauthenticated",
    "Unavailable", "Verdict", "VerifyReport", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint",
    "WebhookPolicy", "WebhookStats", "Webhooks", "derive_key", "format_amount", "parse_amount",
    "plan_webhook_attempts", "verify_webhook", "webhook_event_types",
]
