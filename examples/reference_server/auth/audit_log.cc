// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/audit_log.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "examples/reference_server/auth/secrets.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr std::string_view kPrefix = "server/audit/";
constexpr char kVersion = 1;
constexpr size_t kMaxFieldBytes = 512;
constexpr size_t kMaxDetailBytes = 4 << 10;

// A record's key is "server/audit/" and its number in 16 hexadecimal digits; its value is the line and its hash:
//
//   line   = version (1 byte: 1) number (8) at (8: microseconds since 1970, two's complement)
//            request_id actor action subject detail (each: 4 bytes of length, and the bytes)
//   hash   = SHA-256(hash of the line before it, line); before the first line there are 32 zero bytes
//   value  = line hash
//
// Numbers are big-endian. No two entries have one line: all lengths are in it.
std::string RecordKey(uint64_t number) { return absl::StrFormat("server/audit/%016x", number); }

void PutNumber(uint64_t number, int bytes, std::string* out) {
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>((number >> (8 * i)) & 0xff));
}

void PutText(const std::string& text, std::string* out) {
  PutNumber(text.size(), 4, out);
  out->append(text);
}

std::string EncodeLine(const AuditEntry& entry) {
  std::string line(1, kVersion);
  PutNumber(entry.number, 8, &line);
  PutNumber(static_cast<uint64_t>(absl::ToUnixMicros(entry.at)), 8, &line);
  for (const std::string* text : {&entry.request_id, &entry.actor, &entry.action, &entry.subject, &entry.detail}) {
    PutText(*text, &line);
  }
  return line;
}

Digest HashOf(const Digest& before, std::string_view line) {
  std::string bytes(before.begin(), before.end());
  bytes.append(line);
  return Sha256(bytes);
}

bool TakeNumber(int bytes, std::string_view* in, uint64_t* number) {
  if (in->size() < static_cast<size_t>(bytes)) return false;
  *number = 0;
  for (int i = 0; i < bytes; ++i) *number = (*number << 8) | static_cast<uint8_t>((*in)[static_cast<size_t>(i)]);
  in->remove_prefix(static_cast<size_t>(bytes));
  return true;
}

bool TakeText(std::string_view* in, std::string* text) {
  uint64_t size = 0;
  if (!TakeNumber(4, in, &size) || in->size() < size) return false;
  *text = std::string(in->substr(0, size));
  in->remove_prefix(size);
  return true;
}

absl::Status Broken(uint64_t number) {
  return absl::DataLossError(absl::StrCat("the audit trail does not hold at line ", number));
}

// The line that must have this number and come after one of this hash.
absl::StatusOr<AuditEntry> DecodeEntry(const HostEntry& record, uint64_t number, const Digest& before) {
  AuditEntry entry;
  std::string_view rest = record.value;
  if (record.key != RecordKey(number) || rest.size() < 1 + entry.hash.size() || rest.front() != kVersion) {
    return Broken(number);
  }
  const std::string_view hash = rest.substr(rest.size() - entry.hash.size());
  const std::string_view line = rest.substr(0, rest.size() - entry.hash.size());
  std::copy(hash.begin(), hash.end(), entry.hash.begin());
  if (entry.hash != HashOf(before, line)) return Broken(number);
  rest = line.substr(1);
  uint64_t at = 0;
  if (!TakeNumber(8, &rest, &entry.number) || !TakeNumber(8, &rest, &at)) return Broken(number);
  for (std::string* text : {&entry.request_id, &entry.actor, &entry.action, &entry.subject, &entry.detail}) {
    if (!TakeText(&rest, text)) return Broken(number);
  }
  if (!rest.empty() || entry.number != number) return Broken(number);
  entry.at = absl::FromUnixMicros(static_cast<int64_t>(at));
  return entry;
}

absl::Status CheckBounds(const AuditEntry& entry) {
  for (const std::string* text : {&entry.request_id, &entry.actor, &entry.action, &entry.subject}) {
    if (text->size() > kMaxFieldBytes) return absl::InvalidArgumentError("a field of an audit line is too long");
  }
  if (entry.detail.size() > kMaxDetailBytes)
    return absl::InvalidArgumentError("the detail of an audit line is too long");
  return absl::OkStatus();
}

}  // namespace

class AuditTrail::Core {
 public:
  Core(Store& store, Clock* clock) : store_(store), clock_(clock != nullptr ? *clock : *Clock::System()) {}

  // From the first line to `last`, or to the last that there is if that is 0.
  absl::StatusOr<AuditHead> Walk(uint64_t last) const {
    AuditHead head;
    std::string after;
    for (;;) {
      NW_ASSIGN_OR_RETURN(const std::vector<HostEntry> page, store_.List(kPrefix, after, kMaxHostPage));
      for (const HostEntry& record : page) {
        if (last != 0 && head.number == last) return head;
        NW_ASSIGN_OR_RETURN(const AuditEntry entry, DecodeEntry(record, head.number + 1, head.hash));
        head = {.number = entry.number, .hash = entry.hash};
      }
      if (page.empty()) return head;
      after = page.back().key;
    }
  }

  absl::Status Load() {
    absl::MutexLock lock(&mutex_);
    NW_ASSIGN_OR_RETURN(head_, Walk(0));
    return absl::OkStatus();
  }

  absl::Status Verify() const {
    const AuditHead expected = head();
    if (expected.number == 0) return absl::OkStatus();
    NW_ASSIGN_OR_RETURN(const AuditHead found, Walk(expected.number));
    return found == expected ? absl::OkStatus() : Broken(found.number + 1);
  }

  absl::Status Append(AuditEntry entry) {
    NW_RETURN_IF_ERROR(CheckBounds(entry));
    absl::MutexLock lock(&mutex_);
    entry.number = head_.number + 1;
    entry.at = clock_.Now();
    const std::string line = EncodeLine(entry);
    const Digest hash = HashOf(head_.hash, line);
    HostChange change{.key = RecordKey(entry.number), .value = line};
    change.value->append(hash.begin(), hash.end());
    // If it is not known whether that was written, the store takes no other write until it is opened again, and so does this.
    NW_RETURN_IF_ERROR(store_.Write({std::move(change)}));
    head_ = {.number = entry.number, .hash = hash};
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AuditEntry>> List(uint64_t before, size_t limit) const {
    if (limit < 1 || limit > kMaxAuditEntries) return absl::InvalidArgumentError("a page has 1 to 1000 audit lines");
    const uint64_t newest = head().number;
    const uint64_t last = before == 0 ? newest : std::min(newest, before - 1);
    if (last == 0) return std::vector<AuditEntry>();
    const uint64_t first = last > limit ? last - limit + 1 : 1;
    // The line before the first is read for its hash.
    Digest hash{};
    if (first > 1) {
      NW_ASSIGN_OR_RETURN(const std::optional<std::string> value, store_.Get(RecordKey(first - 1)));
      if (!value.has_value() || value->size() < hash.size()) return Broken(first - 1);
      std::copy(value->end() - static_cast<std::ptrdiff_t>(hash.size()), value->end(), hash.begin());
    }
    NW_ASSIGN_OR_RETURN(const std::vector<HostEntry> records,
                        store_.List(kPrefix, first > 1 ? RecordKey(first - 1) : std::string(), last - first + 1));
    std::vector<AuditEntry> page;
    for (const HostEntry& record : records) {
      NW_ASSIGN_OR_RETURN(AuditEntry entry, DecodeEntry(record, first + page.size(), hash));
      hash = entry.hash;
      page.push_back(std::move(entry));
    }
    if (page.size() != last - first + 1) return Broken(first + page.size());
    std::reverse(page.begin(), page.end());
    return page;
  }

  AuditHead head() const {
    absl::MutexLock lock(&mutex_);
    return head_;
  }

 private:
  Store& store_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  AuditHead head_ ABSL_GUARDED_BY(mutex_);
};

AuditTrail::AuditTrail(std::unique_ptr<Core> core) : core_(std::move(core)) {}
AuditTrail::~AuditTrail() = default;

absl::StatusOr<std::unique_ptr<AuditTrail>> AuditTrail::Open(Store& store, Clock* clock) {
  auto core = std::make_unique<Core>(store, clock);
  NW_RETURN_IF_ERROR(core->Load());
  return std::unique_ptr<AuditTrail>(new AuditTrail(std::move(core)));
}

absl::Status AuditTrail::Append(AuditEntry entry) { return core_->Append(std::move(entry)); }
absl::StatusOr<std::vector<AuditEntry>> AuditTrail::List(uint64_t before, size_t limit) const {
  return core_->List(before, limit);
}
absl::Status AuditTrail::Verify() const { return core_->Verify(); }
AuditHead AuditTrail::head() const { return core_->head(); }

}  // namespace northwind::server
