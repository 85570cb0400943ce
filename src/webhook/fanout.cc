// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/fanout.h"

#include <optional>
#include <string>
#include <vector>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/webhook/delivery_record.h"

namespace northwind::internal {
namespace {

// Records that are no news may be read again after a restart: so many at most.
constexpr uint64_t kCursorEvery = 10'000;

HostRecord CursorRecord(uint64_t sequence) {
  HostRecord record{.key = std::string(kWebhookCursorKey), .value = {}};
  PutBigEndian64(record.value, sequence);
  return record;
}

}  // namespace

Fanout::Fanout(Ledger& ledger, Store& store, Scheduler& scheduler, const EndpointBook& book,
               const MerchantPolicies& policies)
    : ledger_(ledger),
      store_(store),
      scheduler_(scheduler),
      book_(book),
      policies_(policies),
      maker_(ledger, store.engine().uuid()) {}

absl::Status Fanout::Load() {
  const uint64_t head = ledger_.Head().sequence.value();
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> cursor, store_.Get(kWebhookCursorKey));
  if (!cursor) {
    const HostRecord first = CursorRecord(head);
    NW_RETURN_IF_ERROR(scheduler_.Schedule({}, {&first, 1}).status());
    position_ = written_ = head;
    return absl::OkStatus();
  }
  if (cursor->size() != 8) return absl::DataLossError("webhooks: the cursor is damaged");
  position_ = written_ = LoadBigEndian64(cursor->data());
  if (written_ > head) {
    return Error(absl::StatusCode::kDataLoss, "webhooks: the cursor, ", written_, ", is past the journal's head, ",
                 head);
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> Fanout::Step(size_t limit, absl::Time deadline) {
  JournalReader reader = ledger_.ReadJournal(position());
  NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records, reader.Next(limit, deadline));
  if (records.empty()) return 0;
  DeliveryBatch batch;
  batch_messages_ = 0;
  for (const JournalRecord& record : records) {
    NW_RETURN_IF_ERROR(Take(record, batch));
    if (batch.full()) NW_RETURN_IF_ERROR(Write(record.sequence.value(), batch));
  }
  const uint64_t last = records.back().sequence.value();
  recorded_ = absl::ToUnixNanos(records.back().recorded_at);
  if (!batch.empty() || last - written_ >= kCursorEvery) {
    NW_RETURN_IF_ERROR(Write(last, batch));
  } else {
    position_ = last;
  }
  return records.size();
}

absl::Status Fanout::Take(const JournalRecord& record, DeliveryBatch& batch) {
  if (book_.size() == 0) return absl::OkStatus();
  // Kept for all endpoints of the merchant, also those that do not want it now: what it is recovered from.
  NW_ASSIGN_OR_RETURN(const std::optional<Message> message,
                      maker_.Make(record, [this](std::string_view merchant) { return book_.HasEndpoints(merchant); }));
  if (!message) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const std::vector<EndpointPtr> matching,
                      book_.MatchingEndpoints(message->merchant_id, message->type));
  batch.AddMessage(*message);
  ++batch_messages_;
  for (const EndpointPtr& endpoint : matching) {
    if (record.sequence <= endpoint->since) continue;
    batch.AddDelivery(*message, *endpoint, *policies_.Of(*endpoint));
  }
  return absl::OkStatus();
}

absl::Status Fanout::Write(uint64_t sequence, DeliveryBatch& batch) {
  batch.AddRecord(CursorRecord(sequence));
  NW_RETURN_IF_ERROR(batch.Write(scheduler_).status());
  messages_ += batch_messages_;
  deliveries_ += batch.deliveries();
  batch_messages_ = 0;
  batch = DeliveryBatch();
  position_ = written_ = sequence;
  return absl::OkStatus();
}

}  // namespace northwind::internal
