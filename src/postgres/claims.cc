// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "northwind/interrupt.h"
#include "northwind/postgres.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/postgres/connection.h"
#include "src/postgres/migration.h"
#include "src/postgres/session.h"
#include "src/postgres/sqlstate.h"

namespace northwind {

using internal::Error;
using internal::ToAbsl;
using internal::postgres::Connection;
using internal::postgres::Deadline;
using internal::postgres::Parameter;
using internal::postgres::Result;
using internal::postgres::SessionTarget;

namespace {

constexpr Oid kInt8 = 20;
constexpr Oid kText = 25;
constexpr Oid kUuid = 2950;
constexpr size_t kMaxIdBytes = 64;

SessionTarget TargetOf(const PostgresClaimsOptions& options) {
  return {.who = "claims",
          .connection = options.connection,
          .schema = options.schema,
          .statement_timeout = options.statement_timeout};
}

absl::Status CheckOptions(const PostgresClaimsOptions& options) {
  NW_RETURN_IF_ERROR(internal::postgres::CheckTarget(TargetOf(options)));
  if (options.connections < 1 || options.connections > kMaxClaimConnections) {
    return Error(absl::StatusCode::kInvalidArgument, "claims: connections must be 1 ... ", kMaxClaimConnections);
  }
  return absl::OkStatus();
}

// What passes leaves open whether there is a claim.
absl::Status AsClaimStatus(const absl::Status& status) {
  if (internal::postgres::ClassOf(status) == internal::postgres::FaultClass::kPasses) {
    return absl::Status(absl::StatusCode::kUnavailable, status.message());
  }
  return status;
}

absl::Status CheckId(absl::string_view field, std::string_view id) {
  const bool fits = !id.empty() && id.size() <= kMaxIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == ':' || c == '-';
  });
  if (fits) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "claims: ", field, " must be 1-", kMaxIdBytes,
               " of A-Z a-z 0-9 . _ : -");
}

absl::Status CheckEpoch(uint64_t epoch) {
  if (epoch <= uint64_t{std::numeric_limits<int64_t>::max()}) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "claims: epoch ", epoch, " is beyond what PostgreSQL holds");
}

absl::Status Unreadable(std::string_view what, std::string_view value) {
  return Error(absl::StatusCode::kInternal, "claims: ", ToAbsl(what), " is none: ", ToAbsl(value));
}

absl::StatusOr<ClaimVerdict> ParseVerdict(std::string_view text) {
  for (const ClaimVerdict verdict :
       {ClaimVerdict::kClaimed, ClaimVerdict::kHeld, ClaimVerdict::kOther, ClaimVerdict::kStale}) {
    if (text == Name(verdict)) return verdict;
  }
  return Unreadable("the verdict", text);
}

absl::StatusOr<SettlementSystem> ParseSystem(std::string_view text) {
  for (const SettlementSystem system : {SettlementSystem::kBatch, SettlementSystem::kNorthwind}) {
    if (text == Name(system)) return system;
  }
  return Unreadable("the system", text);
}

}  // namespace

class PostgresClaims::Core {
 public:
  explicit Core(const PostgresClaimsOptions& options)
      : target_(TargetOf(options)), free_(static_cast<int>(options.connections)) {}

  // Runs a statement that may run twice: a connection that has been idle may have died since, and is no reason to give up.
  absl::StatusOr<Result> Ask(std::string_view what, const std::string& sql, absl::Span<const Parameter> parameters) {
    const Deadline deadline = Deadline::In(target_.statement_timeout);
    NW_RETURN_IF_ERROR(TakeSlot());
    absl::StatusOr<Result> result = AskInSlot(what, sql, parameters, deadline);
    absl::MutexLock lock(&mutex_);
    ++free_;
    if (!result.ok()) return AsClaimStatus(result.status());
    return result;
  }

 private:
  // One of `connections` that may be in use at once.
  absl::Status TakeSlot() {
    const Deadline deadline = Deadline::In(target_.statement_timeout);
    absl::MutexLock lock(&mutex_);
    const auto is_free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return free_ > 0; };
    const bool sliced = internal::Interruptible();
    const absl::Duration slice = sliced ? absl::FromChrono(internal::kAskEvery) : target_.statement_timeout;
    while (!mutex_.AwaitWithTimeout(absl::Condition(&is_free), slice)) {
      NW_RETURN_IF_ERROR(internal::CheckInterrupted());
      if (sliced && !deadline.HasPassed()) continue;
      return Error(absl::StatusCode::kUnavailable, "claims: all connections are in use");
    }
    --free_;
    return absl::OkStatus();
  }

  absl::StatusOr<Result> AskInSlot(std::string_view what, const std::string& sql,
                                   absl::Span<const Parameter> parameters, Deadline deadline) {
    std::unique_ptr<Connection> connection = TakeIdle();
    if (connection != nullptr) {
      absl::StatusOr<Result> result = connection->Execute(what, sql, parameters, deadline);
      if (!connection->broken()) {
        GiveBack(std::move(connection));
        return result;
      }
      // The others are as old, and what ended this one has most likely ended them.
      DropIdle();
      if (!absl::IsUnavailable(AsClaimStatus(result.status())) || deadline.HasPassed()) return result;
    }
    NW_ASSIGN_OR_RETURN(connection, Connect());
    absl::StatusOr<Result> result = connection->Execute(what, sql, parameters, deadline);
    if (!connection->broken()) GiveBack(std::move(connection));
    return result;
  }

  absl::StatusOr<std::unique_ptr<Connection>> Connect() const {
    NW_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                        internal::postgres::ConnectTo(target_, internal::postgres::Access::kWrite, /*stop=*/nullptr));
    const Deadline deadline = Deadline::In(target_.statement_timeout);
    NW_RETURN_IF_ERROR(internal::postgres::CheckSchema(*connection, internal::postgres::ClaimsHistory(), deadline));
    // Under others a claim that meets another one is an error, and not an answer.
    NW_RETURN_IF_ERROR(connection
                           ->Execute("claims: setting up the session",
                                     "SET default_transaction_isolation = 'read committed'", deadline)
                           .status());
    return connection;
  }

  std::unique_ptr<Connection> TakeIdle() {
    absl::MutexLock lock(&mutex_);
    if (idle_.empty()) return nullptr;
    std::unique_ptr<Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
  }
  void GiveBack(std::unique_ptr<Connection> connection) {
    absl::MutexLock lock(&mutex_);
    idle_.push_back(std::move(connection));
  }
  void DropIdle() {
    std::vector<std::unique_ptr<Connection>> dropped;  // closed without the lock
    absl::MutexLock lock(&mutex_);
    dropped.swap(idle_);
  }

  const SessionTarget target_;
  absl::Mutex mutex_;
  int free_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
};

absl::Status PostgresClaims::Migrate(const PostgresClaimsOptions& options) {
  NW_RETURN_IF_ERROR(CheckOptions(options));
  return internal::postgres::Migrate(TargetOf(options), internal::postgres::ClaimsHistory());
}

absl::StatusOr<std::unique_ptr<PostgresClaims>> PostgresClaims::Open(const PostgresClaimsOptions& options) {
  NW_RETURN_IF_ERROR(CheckOptions(options));
  return std::unique_ptr<PostgresClaims>(new PostgresClaims(std::make_unique<Core>(options)));
}

PostgresClaims::PostgresClaims(std::unique_ptr<Core> core) : core_(std::move(core)) {}
PostgresClaims::~PostgresClaims() = default;

absl::StatusOr<ClaimVerdict> PostgresClaims::Claim(const ClaimRequest& request) {
  NW_RETURN_IF_ERROR(CheckId("id", request.id));
  NW_RETURN_IF_ERROR(CheckId("merchant_id", request.merchant_id));
  NW_RETURN_IF_ERROR(CheckEpoch(request.epoch));
  const std::string system(Name(request.system));
  if (system.empty()) return Error(absl::StatusCode::kInvalidArgument, "claims: system is none");
  const std::string epoch = absl::StrCat(request.epoch);
  const std::string_view token(reinterpret_cast<const char*>(request.token.data()), request.token.size());
  NW_ASSIGN_OR_RETURN(
      const Result result,
      core_->Ask("claims: claiming", "SELECT claim($1, $2, $3, $4, $5)",
                 {Parameter::Text(request.id, kText), Parameter::Text(request.merchant_id, kText),
                  Parameter::Text(system, kText), Parameter::Text(epoch, kInt8), Parameter::Binary(token, kUuid)}));
  return ParseVerdict(result.Value(0, 0));
}

absl::StatusOr<std::optional<ClaimRecord>> PostgresClaims::Find(std::string_view id) {
  NW_RETURN_IF_ERROR(CheckId("id", id));
  const std::string name(id);
  NW_ASSIGN_OR_RETURN(
      const Result result,
      core_->Ask("claims: reading a claim",
                 "SELECT merchant_id, system, epoch, (extract(epoch FROM claimed_at) * 1000000)::bigint "
                 "FROM claims WHERE id = $1",
                 {Parameter::Text(name, kText)}));
  if (result.rows() == 0) return std::nullopt;
  ClaimRecord record{.id = name, .merchant_id = std::string(result.Value(0, 0))};
  NW_ASSIGN_OR_RETURN(record.system, ParseSystem(result.Value(0, 1)));
  int64_t micros = 0;
  if (!absl::SimpleAtoi(ToAbsl(result.Value(0, 2)), &record.epoch)) return Unreadable("the epoch", result.Value(0, 2));
  if (!absl::SimpleAtoi(ToAbsl(result.Value(0, 3)), &micros)) return Unreadable("the time", result.Value(0, 3));
  record.at = absl::FromUnixMicros(micros);
  return record;
}

absl::Status PostgresClaims::PublishEpoch(uint64_t epoch) {
  NW_RETURN_IF_ERROR(CheckEpoch(epoch));
  const std::string text = absl::StrCat(epoch);
  return core_->Ask("claims: publishing an epoch", "SELECT publish_epoch($1)", {Parameter::Text(text, kInt8)}).status();
}

absl::StatusOr<uint64_t> PostgresClaims::PublishedEpoch() {
  NW_ASSIGN_OR_RETURN(const Result result,
                      core_->Ask("claims: reading the epoch", "SELECT epoch FROM published_epoch", {}));
  uint64_t epoch = 0;
  if (result.rows() != 1 || !absl::SimpleAtoi(ToAbsl(result.Value(0, 0)), &epoch)) {
    return Unreadable("the epoch", result.rows() == 1 ? result.Value(0, 0) : "");
  }
  return epoch;
}

}  // namespace northwind
