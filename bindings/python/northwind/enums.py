# SPDX-License-Identifier: Apache-2.0
"""The enumerations of northwind.

Their values are those that are stored, and those of the columns of arrays: `results["outcome"] == Outcome.APPLIED`.
As text they are the lower-case names of JSON and reports.
"""

from __future__ import annotations

import enum

__all__ = [
    "AccountState", "AdjustmentDirection", "AttemptFailure", "AttemptTrigger", "BatchSystem", "BreakerState",
    "ClaimVerdict", "DayState", "DeathCause", "DeferredPolicy", "DeliveryState", "DisableReason",
    "DiscrepancyClass", "DiscrepancyState", "EndpointState", "EntryKind", "EventFormat", "EventStatus",
    "EventType", "Field", "FinishOutcome", "IfScheduled", "Jitter", "KeyOrder", "Leg", "LegStatus",
    "LegacyFileFormat", "MirrorState", "Outcome", "Override", "PayoutState", "QuarantineCause", "RailCall",
    "RailState", "Reason", "RecordType", "RecoveryState", "RouteReason", "ScheduleOutcome", "SettlementSystem",
    "SignatureScheme", "SqsBody", "SqsPoison", "SqsState", "StoreMode", "TaskState", "TransactionKind", "Verdict",
]


class _Enum(enum.IntEnum):
    """An enumeration; `str()` gives the name that JSON and reports have."""

    def __str__(self) -> str:
        return self.name.lower()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


class StoreMode(_Enum):
    """Whether a store is live. What is computed in a shadow store leaves it nowhere."""

    AS_IS = 0
    SHADOW = 1
    LEAVE_SHADOW = 2


class AccountState(_Enum):
    """How an account stands."""

    OPEN = 1
    FROZEN = 2
    CLOSED = 3


class TransactionKind(_Enum):
    """What a transaction does."""

    POST = 1
    HOLD = 2
    CAPTURE = 3
    RELEASE = 4
    REVERSE = 5


class Outcome(_Enum):
    """What became of a transaction."""

    APPLIED = 1
    REJECTED = 2
    DUPLICATE = 3
    CONFLICT = 4
    DEFERRED = 5
    INVALID = 6


class Reason(_Enum):
    """Why a transaction was not applied."""

    NONE = 0
    INSUFFICIENT_FUNDS = 1
    ACCOUNT_FROZEN = 2
    ACCOUNT_CLOSED = 3
    REFERENCE_USED = 4
    TARGET_RESOLVED = 5
    EXCEEDS_TARGET = 6
    TARGET_MISMATCH = 7
    TOTAL_OVERFLOW = 8
    TARGET_NOT_FOUND = 32
    ACCOUNT_NOT_FOUND = 33
    POSTING_COUNT = 64
    ZERO_AMOUNT = 65
    AMOUNT_TOO_LARGE = 66
    SAME_ACCOUNT = 67
    ASSET_MISMATCH = 68
    TARGET_MISSING = 69
    UNEXPECTED_FIELD = 70
    REFERENCE_TOO_LONG = 71
    REFERENCE_MISSING = 72
    METADATA_TOO_LONG = 73
    TIME_OUT_OF_RANGE = 74
    HOST_RECORD_TOO_LARGE = 75
    UNKNOWN_KIND = 76


class Field(_Enum):
    """The content of a transaction, in the order in which a conflict names the first difference."""

    NONE = 0
    KIND = 1
    POSTINGS = 2
    TARGET = 3
    AMOUNT = 4
    FINAL_CAPTURE = 5
    CODE = 6
    REFERENCE = 7
    UNIQUE_REFERENCE = 8
    EFFECTIVE_AT = 9
    EXPIRES_AT = 10
    METADATA = 11


class DeferredPolicy(_Enum):
    """What happens to a deferred transaction inside its batch."""

    RETURN = 0
    RETRY_IN_BATCH = 1


class EntryKind(_Enum):
    """What an entry did to its account."""

    DEBIT = 0
    CREDIT = 1
    HOLD_DEBIT = 2
    HOLD_CREDIT = 3
    CAPTURE_DEBIT = 4
    CAPTURE_CREDIT = 5
    RELEASE_DEBIT = 6
    RELEASE_CREDIT = 7


class RecordType(_Enum):
    """The kinds of records, in arrays of the journal."""

    ACCOUNT_OPENED = 1
    ACCOUNT_CHANGED = 2
    TRANSACTION = 3
    HOLD_EXPIRED = 4


class EventType(_Enum):
    """What a payment event tells."""

    PAYMENT_CAPTURED = 1
    PAYMENT_REFUNDED = 2
    DISPUTE_OPENED = 3
    DISPUTE_LOST = 4
    DISPUTE_WON = 5
    PAYOUT_REQUESTED = 6
    PAYOUT_PAID = 7
    PAYOUT_FAILED = 8
    PAYOUT_CANCELED = 9
    PAYOUT_RETURNED = 10
    ADJUSTMENT = 11


class AdjustmentDirection(_Enum):
    """Which way an adjustment goes, as the merchant sees it."""

    CREDIT = 1
    DEBIT = 2


class EventFormat(_Enum):
    """How the bytes of an event are to be read."""

    JSON = 1
    PROTOBUF = 2


class EventStatus(_Enum):
    """What became of an event."""

    APPLIED = 1
    DUPLICATE = 2
    ALREADY_SETTLED = 3
    REJECTED = 4
    PARKED = 5
    QUARANTINED = 6


class QuarantineCause(_Enum):
    """Why an event is in quarantine."""

    NONE = 0
    MALFORMED = 1
    INVALID = 2
    CONFLICT = 3
    TARGET_NOT_FOUND = 4
    PARKING_FULL = 5


class Jitter(_Enum):
    """How a computed delay is spread at random."""

    NONE = 0
    FULL = 1
    EQUAL = 2
    DECORRELATED = 3


class IfScheduled(_Enum):
    """What to do with a task whose id is taken."""

    REPLACE = 0
    KEEP = 1


class ScheduleOutcome(_Enum):
    """What scheduling a task came to."""

    SCHEDULED = 0
    REPLACED = 1
    KEPT = 2
    LEASED = 3


class Verdict(_Enum):
    """How an attempt ended."""

    COMPLETE = 0
    RETRY = 1
    KILL = 2


class FinishOutcome(_Enum):
    """What ending an attempt came to."""

    DONE = 0
    WAITS = 1
    DEAD = 2
    STALE = 3


class DeathCause(_Enum):
    """Why a task is dead."""

    KILLED = 1
    ATTEMPTS = 2
    AGE = 3


class TaskState(_Enum):
    """How a task stands."""

    WAITING = 0
    LEASED = 1
    DEAD = 2


class KeyOrder(_Enum):
    """How tasks of one key follow each other."""

    NONE = 0
    BLOCK_ON_DEAD = 1
    SKIP_DEAD = 2


class RailState(_Enum):
    """What a rail knows of a payout."""

    PAID = 1
    PENDING = 2
    FAILED = 3
    UNKNOWN = 4
    NOT_FOUND = 5
    WITHHELD = 6


class PayoutState(_Enum):
    """How a payout stands."""

    REJECTED = 1
    REQUESTED = 2
    SUBMITTED = 3
    PAID = 4
    FAILED = 5
    CANCELED = 6
    RETURNED = 7


class RailCall(_Enum):
    """Which call of the rail it was."""

    SUBMIT = 1
    QUERY = 2


class BatchSystem(_Enum):
    """Whether a batch system pays out beside northwind."""

    BESIDE = 0
    GONE = 1


class EndpointState(_Enum):
    """How an endpoint stands."""

    ENABLED = 1
    PAUSED = 2
    DISABLED = 3


class DisableReason(_Enum):
    """Why an endpoint is disabled."""

    BY_HAND = 1
    GONE = 2
    FAILING = 3


class SignatureScheme(_Enum):
    """How messages are signed."""

    HMAC_SHA256 = 1
    ED25519 = 2


class BreakerState(_Enum):
    """Whether an endpoint is left alone."""

    CLOSED = 0
    OPEN = 1
    PROBING = 2


class DeliveryState(_Enum):
    """How a delivery stands."""

    PENDING = 1
    DELIVERED = 2
    DEAD = 3
    CANCELED = 4


class AttemptFailure(_Enum):
    """Why an attempt did not deliver."""

    NONE = 0
    INVALID_URL = 1
    INVALID_REQUEST = 2
    DNS = 3
    BLOCKED_ADDRESS = 4
    BLOCKED_PORT = 5
    CONNECT = 6
    TLS = 7
    TIMEOUT = 8
    SEND = 9
    RECEIVE = 10
    HEADERS_TOO_LARGE = 11
    ABORTED = 12
    INTERNAL = 13
    STATUS = 32
    REDIRECT = 33
    GONE = 34
    THROTTLED = 35
    UNKNOWN = 36
    DISABLED = 37


class AttemptTrigger(_Enum):
    """What made an attempt."""

    SCHEDULE = 1
    RESEND = 2
    TEST = 3


class RecoveryState(_Enum):
    """How a recovery stands."""

    RUNNING = 1
    DONE = 2
    CANCELED = 3


class SqsPoison(_Enum):
    """What is done with a message that can never be applied."""

    QUARANTINE = 1
    REDRIVE_POLICY = 2


class SqsBody(_Enum):
    """How a message's body holds its event."""

    AUTO = 1
    JSON = 2
    PROTOBUF = 3


class SqsState(_Enum):
    """How a source stands."""

    STOPPED = 1
    RUNNING = 2
    WAITING = 3
    HALTED = 4


class MirrorState(_Enum):
    """How a mirror stands."""

    STOPPED = 1
    RUNNING = 2
    WAITING = 3
    HALTED = 4


class Leg(_Enum):
    """What of a payment or payout a row is about."""

    CAPTURE = 1
    REFUND = 2
    DISPUTE = 3
    PAYOUT = 4
    PAYOUT_RETURN = 5
    ADJUSTMENT = 6


class LegStatus(_Enum):
    """How far it has come."""

    SETTLED = 1
    OPEN = 2
    PAID = 3
    FAILED = 4
    CANCELED = 5
    LOST = 6
    WON = 7


class LegacyFileFormat(_Enum):
    """How a file of the batch system is written."""

    CSV = 1
    JSONL = 2


class DiscrepancyClass(_Enum):
    """In what ledger and batch differ."""

    MISSING_HERE = 1
    MISSING_THERE = 2
    DUPLICATE = 3
    CURRENCY = 4
    AMOUNT = 5
    FEE = 6
    MERCHANT = 7
    STATUS = 8
    DAY_SHIFT = 9
    LATE = 10
    UNREADABLE = 11


class DiscrepancyState(_Enum):
    """How a discrepancy stands."""

    OPEN = 1
    EXPLAINED = 2
    RESOLVED = 3
    IGNORED = 4


class DayState(_Enum):
    """How a business day stands."""

    OPEN = 1
    CLOSED = 2
    REOPENED = 3


class SettlementSystem(_Enum):
    """Who settles, and pays."""

    BATCH = 1
    NORTHWIND = 2


class RouteReason(_Enum):
    """Why an id goes to the system that it goes to."""

    ROUTED_TO_BATCH = 1
    UNKNOWN_MERCHANT = 2
    DENIED = 3
    ALLOWED = 4
    BUCKET = 5


class Override(_Enum):
    """What holds for a merchant whatever the threshold is."""

    ALLOW = 1
    DENY = 2


class ClaimVerdict(_Enum):
    """What an arbiter says of a claim."""

    CLAIMED = 1
    HELD = 2
    OTHER = 3
    STALE = 4
