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
    Account, AccountChanged, AccountOpened, AccountSpec, Assignment, AuditLine, AuditReport, Balance,
    CanaryResult, ClaimRecord, ClaimRequest, ClaimedRail, ClaimedTask, CommitResult, CountAndSum, Coverage,
    Cutover, CutoverPreview, CutoverShare, CutoverStatus, DayFigures, DeliveryName, DigestNode, Disabled,
    Discrepancy, DiscrepancyChange, EndpointHealth, Entry, EventOutcome, Finish, GateStatus, HandBackResult,
    Head, HistoryCursor, Hold, HoldExpired, IgnoreRule, IngestResult, Intake, IntakeResult, KeyConfig,
    LateOutcome, Ledger, LedgerStats, LegacyBalance, LegacyFile, LegacyMerchant, LegacyPage, LegacyReader,
    MAX_AMOUNT, MerchantOverride, Mirror, MirrorStats, Money, NewEndpoint, NorthwindPays, OurRow, Pages,
    ParallelRun, PaymentEvent, Payout, PayoutInstruction, PayoutMoment, Payouts, PostgresClaims, Posting,
    QuarantinedEvent, QueueConfig, QueueStats, RailAnswer, Recovery, RecoveryCount, ResidueItem, RetryPolicy,
    RunReport, Scheduler, SchedulerStats, SettledRow, SideBySide, SqsCounts, SqsSource, SqsStats, Store, Target,
    TaskHandle, TaskInfo, TaskSpec, TheirRow, Transaction, TransactionRecorded, TransactionView, VerifyReport,
    WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookPolicy, WebhookStats, Webhooks, cutover_bucket,
    derive_key, format_amount, format_mapping, northwind_pays, parse_amount, plan_webhook_attempts,
    verify_webhook, webhook_event_types,
)
from ._northwind import __version__ as __version__
from .enums import (
    AccountState, AdjustmentDirection, AttemptFailure, AttemptTrigger, BatchSystem, BreakerState, ClaimVerdict,
    DayState, DeathCause, DeferredPolicy, DeliveryState, DisableReason, DiscrepancyClass, DiscrepancyState,
    EndpointState, EntryKind, EventFormat, EventStatus, EventType, Field, FinishOutcome, IfScheduled, Jitter,
    KeyOrder, Leg, LegStatus, LegacyFileFormat, MirrorState, Outcome, Override, PayoutState, QuarantineCause,
    RailCall, RailState, Reason, RecordType, RecoveryState, RouteReason, ScheduleOutcome, SettlementSystem,
    SignatureScheme, SqsBody, SqsPoison, SqsState, StoreMode, TaskState, TransactionKind, Verdict,
)
from .errors import (
    AlreadyExists, Cancelled, Closed, Conflict, DataLoss, DeadlineExceeded, Deferred, Error, FailedPrecondition,
    ForkedProcess, Indeterminate, InsufficientFunds, Internal, InvalidArgument, InvalidTransaction, NotFound,
    OutOfRange, PermissionDenied, Rejected, ResourceExhausted, TransactionError, Unauthenticated, Unavailable,
)

__all__ = [
    "__version__",
    "Account", "AccountChanged", "AccountOpened", "AccountSpec", "AccountState", "AdjustmentDirection",
    "AlreadyExists", "Assignment", "AttemptFailure", "AttemptTrigger", "AuditLine", "AuditReport", "Balance",
    "BatchSystem", "BreakerState", "CanaryResult", "Cancelled", "ClaimRecord", "ClaimRequest", "ClaimVerdict",
    "ClaimedRail", "ClaimedTask", "Closed", "CommitResult", "Conflict", "CountAndSum", "Coverage", "Cutover",
    "CutoverPreview", "CutoverShare", "CutoverStatus", "DataLoss", "DayFigures", "DayState", "DeadlineExceeded",
    "DeathCause", "Deferred", "DeferredPolicy", "DeliveryName", "DeliveryState", "DigestNode", "DisableReason",
    "Disabled", "Discrepancy", "DiscrepancyChange", "DiscrepancyClass", "DiscrepancyState", "EndpointHealth",
    "EndpointState", "Entry", "EntryKind", "Error", "EventFormat", "EventOutcome", "EventStatus", "EventType",
    "FailedPrecondition", "Field", "Finish", "FinishOutcome", "ForkedProcess", "GateStatus", "HandBackResult",
    "Head", "HistoryCursor", "Hold", "HoldExpired", "IfScheduled", "IgnoreRule", "Indeterminate", "IngestResult",
    "InsufficientFunds", "Intake", "IntakeResult", "Internal", "InvalidArgument", "InvalidTransaction", "Jitter",
    "JournalArrays", "KeyConfig", "KeyOrder", "LateOutcome", "Ledger", "LedgerStats", "Leg", "LegStatus",
    "LegacyBalance", "LegacyFile", "LegacyFileFormat", "LegacyMerchant", "LegacyPage", "LegacyReader",
    "MAX_AMOUNT", "MerchantOverride", "Mirror", "MirrorState", "MirrorStats", "Money", "NewEndpoint",
    "NorthwindPays", "NotFound", "OurRow", "OutOfRange", "Outcome", "Override", "Pages", "ParallelRun",
    "PaymentEvent", "Payout", "PayoutInstruction", "PayoutMoment", "PayoutState", "Payouts", "PermissionDenied",
    "PostgresClaims", "Posting", "QuarantineCause", "QuarantinedEvent", "QueueConfig", "QueueStats", "RailAnswer",
    "RailCall", "RailState", "Reason", "RecordType", "Recovery", "RecoveryCount", "RecoveryState", "Rejected",
    "ResidueItem", "ResourceExhausted", "RetryPolicy", "RouteReason", "RunReport", "ScheduleOutcome", "Scheduler",
    "SchedulerStats", "SettledRow", "SettlementSystem", "SideBySide", "SignatureScheme", "SqsBody", "SqsCounts",
    "SqsPoison", "SqsSource", "SqsState", "SqsStats", "Store", "StoreMode", "Target", "TaskHandle", "TaskInfo",
    "TaskSpec", "TaskState", "TheirRow", "Transaction", "TransactionError", "TransactionKind",
    "TransactionRecorded", "TransactionView", "Unauthenticated", "Unavailable", "Verdict", "VerifyReport",
    "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint", "WebhookPolicy", "WebhookStats", "Webhooks",
    "cutover_bucket", "derive_key", "format_amount", "format_mapping", "northwind_pays", "parse_amount",
    "plan_webhook_attempts", "verify_webhook", "webhook_event_types",
]
