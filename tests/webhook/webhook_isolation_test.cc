// SPDX-License-Identifier: Apache-2.0
//
// Two hundred endpoints, half of which hang, drip, reset, fail or redirect, while events flow: the other half is told as if there were
// nobody else. NORTHWIND_TEST_SECONDS sets how long events flow.
//
// The one test that asserts a time. It has a wide margin: what is asserted is the promise, a second; what is measured is some
// hundredth of it. Not run with sanitizers.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/receivers/receiver_fleet.h"
#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/store.h"
#include "northwind/webhook.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using examples::Behaviour;
using examples::ReceiverFleet;

constexpr size_t kMerchants = 100;  // each with a good endpoint and a bad one
constexpr uint64_t kEventsPerSecond = 500;

// The least soft limit of descriptors is 1,024: both ends of all connections are in this process.
void RaiseDescriptorLimit() {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

// When the record was made, as the message says.
absl::Time RecordedAt(std::string_view body) {
  constexpr std::string_view kBefore = R"("timestamp":")";
  const size_t begin = body.find(kBefore) + kBefore.size();
  absl::Time time;
  std::string error;
  const std::string text(body.substr(begin, body.find('"', begin) - begin));
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

struct Quantiles {
  explicit Quantiles(std::vector<absl::Duration> all) {
    std::sort(all.begin(), all.end());
    if (all.empty()) return;
    p50 = all[all.size() / 2];
    p99 = all[all.size() * 99 / 100];
    most = all.back();
  }
  absl::Duration p50 = absl::InfiniteDuration(), p99 = absl::InfiniteDuration(), most = absl::InfiniteDuration();
};

class WebhookIsolation : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(RaiseDescriptorLimit());
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_));
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_));
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_));
    WebhookOptions options;
    options.host_keys = {{.id = "test", .key = std::string("0123456789abcdef0123456789abcdef")}};
    options.plain_http = true;
    options.allowed_networks = {{.network = "127.0.0.1/32", .ports = {}}};
    // Less than what the bad ones would take in a moment if nothing kept each of them to its share.
    options.max_in_flight = 512;
    options.stop_within = absl::ZeroDuration();
    NW_ASSERT_OK_AND_ASSIGN(webhooks_, Webhooks::Open({*ledger_, *store_, *scheduler_}, options));

    examples::ReceiverFleetOptions fleet;
    fleet.on_message = [this](const examples::ReceivedMessage& message) { Take(message); };
    NW_ASSERT_OK_AND_ASSIGN(fleet_, ReceiverFleet::Start(fleet));
  }

  // Beside each good endpoint a bad one, of these kinds in turn.
  void AddEndpoints(std::vector<Behaviour> bad) {
    bad_ = std::move(bad);
    for (uint64_t m = 0; m < kMerchants; ++m) {
      ASSERT_NO_FATAL_FAILURE(AddEndpoint(m, "good", Behaviour::kOk));
      ASSERT_NO_FATAL_FAILURE(AddEndpoint(m, "bad", bad_[m % bad_.size()]));
    }
  }
  void AddEndpoint(uint64_t merchant, const std::string& id, Behaviour behaviour) {
    const std::string name = Merchant(merchant) + "-" + id;
    NW_ASSERT_OK_AND_ASSIGN(const std::string url,
                            fleet_->Add({.name = name, .behaviour = behaviour, .location = "http://127.0.0.1:1/"}));
    NW_ASSERT_OK_AND_ASSIGN(const NewEndpoint made,
                            webhooks_->CreateEndpoint(Merchant(merchant), {.id = id, .url = url}));
    ASSERT_THAT(fleet_->SetKeys(name, {made.secret}), IsOk());
  }
  static std::string Merchant(uint64_t number) { return "m" + std::to_string(number % kMerchants); }

  void Take(const examples::ReceivedMessage& message) {
    if (!message.receiver.ends_with("-good")) return;
    const absl::Duration took = message.at - RecordedAt(message.body);
    const absl::MutexLock lock(&mutex_);
    arrived_.push_back(took);
  }
  size_t arrived() const {
    const absl::MutexLock lock(&mutex_);
    return arrived_.size();
  }

  // Lets events flow, and says how the good endpoints were told.
  void Flow();

  TempDir directory_;
  std::vector<Behaviour> bad_;
  mutable absl::Mutex mutex_;
  std::vector<absl::Duration> arrived_ ABSL_GUARDED_BY(mutex_);  // from the record to the good receiver
  std::unique_ptr<ReceiverFleet> fleet_;  // after what it writes to, and gone after who sends to it
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Webhooks> webhooks_;
};

void WebhookIsolation::Flow() {
  ASSERT_THAT(webhooks_->Start(), IsOk());
  const uint64_t count = kEventsPerSecond * TestOps(6, "NORTHWIND_TEST_SECONDS");
  const absl::Time start = absl::Now();
  for (uint64_t i = 0; i < count; ++i) {
    // Events come at their pace, whatever becomes of them.
    absl::SleepFor(start + absl::Seconds(1) * static_cast<int64_t>(i) / static_cast<int64_t>(kEventsPerSecond) -
                   absl::Now());
    const std::vector<PaymentEvent> event = {Captured("pay" + std::to_string(i), 1000, 0, Merchant(i))};
    ASSERT_THAT(intake_->Apply(event), IsOk());
  }
  const absl::Duration flowed = absl::Now() - start;
  while (arrived() < count && webhooks_->status().ok()) absl::SleepFor(absl::Milliseconds(10));
  ASSERT_THAT(webhooks_->status(), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const WebhookStats stats, webhooks_->Stats());
  webhooks_->Stop();

  // To the 2xx, by the receipts: when the attempt ended, from the same timestamps.
  std::vector<absl::Duration> answered;
  for (uint64_t m = 0; m < kMerchants; ++m) {
    DeliveryQuery query{.merchant_id = Merchant(m), .endpoint_id = "good", .limit = kMaxDeliveryPage};
    do {
      NW_ASSERT_OK_AND_ASSIGN(const WebhookDeliveryPage page, webhooks_->ListDeliveries(query));
      for (const WebhookDelivery& delivery : page.deliveries) {
        ASSERT_EQ(delivery.state, DeliveryState::kDelivered);
        ASSERT_EQ(delivery.attempts, 1u);
        NW_ASSERT_OK_AND_ASSIGN(const WebhookDelivery whole, webhooks_->GetDelivery(delivery.name));
        answered.push_back(whole.delivered_at - RecordedAt(whole.body));
      }
      query.after = page.next;
    } while (!query.after.empty());
  }
  ASSERT_EQ(answered.size(), count);
  std::map<std::string, uint64_t> requests;  // of the bad ones, by what they do
  for (const auto& [name, receiver] : fleet_->Stats()) {
    EXPECT_EQ(receiver.signature_failures, 0u) << name;
    if (!name.ends_with("-bad")) continue;
    requests[std::string(Name(bad_[std::stoul(name.substr(1)) % bad_.size()]))] += receiver.requests;
  }
  const Quantiles arrival = [this] {
    const absl::MutexLock lock(&mutex_);
    return Quantiles(arrived_);
  }();
  const Quantiles answer(std::move(answered));
  const auto ms = [](absl::Duration time) { return absl::ToDoubleMilliseconds(time); };
  std::printf(
      "%.0f events/s to %zu endpoints for %.1f s; good ones: arrival p50 %.1f ms, p99 %.1f ms, most %.1f ms; "
      "2xx p50 %.1f ms, p99 %.1f ms, most %.1f ms; under way at the end: %llu;",
      static_cast<double>(count) / absl::ToDoubleSeconds(flowed), 2 * kMerchants, absl::ToDoubleSeconds(flowed),
      ms(arrival.p50), ms(arrival.p99), ms(arrival.most), ms(answer.p50), ms(answer.p99), ms(answer.most),
      static_cast<unsigned long long>(stats.in_flight));
  for (const auto& [name, number] : requests) {
    std::printf(" %s: %llu", name.c_str(), static_cast<unsigned long long>(number));
    EXPECT_GE(number, kMerchants / bad_.size()) << "nothing came to those that " << name;
  }
  std::printf("\n");
  EXPECT_LT(arrival.p99, absl::Seconds(1));
  EXPECT_LT(answer.p99, absl::Seconds(1));
}

TEST_F(WebhookIsolation, AHundredBadEndpointsDelayNoGoodOne) {
  ASSERT_NO_FATAL_FAILURE(
      AddEndpoints({Behaviour::kHang, Behaviour::kDrip, Behaviour::kReset, Behaviour::kError, Behaviour::kRedirect}));
  Flow();
}

// Each may have eight attempts under way, and so they all together more than there is room for.
TEST_F(WebhookIsolation, AHundredEndpointsThatHangDelayNoGoodOne) {
  ASSERT_NO_FATAL_FAILURE(AddEndpoints({Behaviour::kHang}));
  Flow();
}

}  // namespace
}  // namespace northwind::testing
