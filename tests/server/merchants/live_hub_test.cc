// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/live_hub.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "absl/strings/str_split.h"
#include "tests/server/merchants/merchants_fixture.h"

namespace northwind::testing {
namespace {

using server::EventStream;
using server::LiveHub;
using server::LiveHubOptions;
using ::testing::ElementsAre;
using ::testing::SizeIs;

struct LiveEvent {
  std::string id;
  std::string name;
  Json data;
};

// Reads streams as an EventSource does.
class Reader {
 public:
  explicit Reader(std::shared_ptr<EventStream> stream) : stream_(std::move(stream)) {}

  // What there is by now.
  std::vector<LiveEvent> Take() {
    std::vector<LiveEvent> events;
    const std::vector<std::string> blocks = absl::StrSplit(stream_->Take(), "\n\n", absl::SkipEmpty());
    for (const std::string& block : blocks) {
      LiveEvent event;
      for (const std::string& line : std::vector<std::string>(absl::StrSplit(block, '\n'))) {
        const std::pair<std::string, std::string> field = absl::StrSplit(line, absl::MaxSplits(": ", 1));
        if (field.first == "id") event.id = last_id_ = field.second;
        if (field.first == "event") event.name = field.second;
        if (field.first == "data") event.data = Json::parse(field.second);
      }
      events.push_back(std::move(event));
    }
    return events;
  }
  // Waits for so many.
  std::vector<LiveEvent> Await(size_t count) {
    std::vector<LiveEvent> events;
    while (events.size() < count && !(stream_->closed() && events.empty())) {
      for (LiveEvent& event : Take()) events.push_back(std::move(event));
      std::this_thread::yield();
    }
    return events;
  }
  EventStream& stream() { return *stream_; }
  const std::string& last_id() const { return last_id_; }

 private:
  std::shared_ptr<EventStream> stream_;
  std::string last_id_;
};

class LiveHubTest : public MerchantsFixture {
 protected:
  void Open(const LiveHubOptions& options = {}) {
    hub_ = std::make_unique<LiveHub>(*host_.ledger, options);
    ASSERT_THAT(hub_->Start(), IsOk());
  }
  void TearDown() override {
    hub_.reset();
    MerchantsFixture::TearDown();
  }
  std::shared_ptr<EventStream> Watch(std::string_view merchant = "m1", std::optional<Sequence> last = std::nullopt) {
    auto stream = hub_->Watch(merchant, last);
    EXPECT_THAT(stream, IsOk());
    return stream.ok() ? *std::move(stream) : std::make_shared<EventStream>();
  }

  std::unique_ptr<LiveHub> hub_;
};

TEST_F(LiveHubTest, AStreamTellsItsMerchantWhatTheTransactionsRouteTells) {
  Apply(Captured("before", 100));
  Open();
  Reader mine(Watch("m1"));
  Reader theirs(Watch("m2"));
  const std::vector<LiveEvent> hello = mine.Await(1);
  EXPECT_EQ(hello.at(0).name, "hello");
  EXPECT_EQ(hello.at(0).id, std::to_string(host_.ledger->Head().sequence.value()));
  Apply(Captured("p1", 1000, 30));
  Apply(Captured("p2", 500, 0, "m2"));
  Apply(OfPayout(EventType::kPayoutRequested, "po1", 1, 9'000));  // rejected: nothing moves
  Apply(OfPayout(EventType::kPayoutRequested, "po2", 1, 300));
  const Sequence last = Apply(OfPayout(EventType::kPayoutFailed, "po2", 2)).sequence;
  const std::vector<LiveEvent> events = mine.Await(3);
  ASSERT_THAT(events, SizeIs(3));
  for (const LiveEvent& event : events) {
    EXPECT_EQ(event.name, "transaction");
    EXPECT_EQ(event.id, event.data.at("sequence"));
    Json told = GetJson("/v1/merchants/m1/transactions/" + event.id);
    told.erase("links");
    EXPECT_EQ(event.data, told);
  }
  EXPECT_EQ(events[0].data.at("payment_id"), "p1");
  EXPECT_EQ(events[1].data.at("payout_id"), "po2");
  EXPECT_EQ(events[2].data.at("entries").at(0).at("kind"), "release_debit");
  EXPECT_EQ(events[2].id, std::to_string(last.value()));
  EXPECT_EQ(theirs.Await(2).at(1).data.at("payment_id"), "p2");
}

TEST_F(LiveHubTest, AResumedStreamGoesOnRightAfterItsLastEvent) {
  std::vector<Sequence> sequences;
  for (int i = 0; i < 10; ++i) sequences.push_back(Apply(Captured("p" + std::to_string(i), 100)).sequence);
  Open();
  Reader reader(Watch("m1", sequences[5]));
  Apply(Captured("live", 100));
  const std::vector<LiveEvent> events = reader.Await(6);
  ASSERT_THAT(events, SizeIs(6));
  EXPECT_EQ(events[0].name, "hello");
  EXPECT_EQ(events[0].id, "");  // so that a reader that is cut off here asks for the same again
  for (size_t i = 1; i < 5; ++i) EXPECT_EQ(events[i].id, std::to_string(sequences[5 + i].value()));
  EXPECT_EQ(events[5].data.at("payment_id"), "live");
}

TEST_F(LiveHubTest, WhoMissedTooMuchOrComesFromAnotherStoreIsReset) {
  for (int i = 0; i < 10; ++i) Apply(Captured("p" + std::to_string(i), 100));
  Open({.max_replay = 9});
  for (const Sequence last : {Sequence(0), Sequence(1'000'000)}) {
    Reader reader(Watch("m1", last));
    Apply(Captured("live" + std::to_string(last.value()), 100));
    const std::vector<LiveEvent> events = reader.Await(3);
    EXPECT_EQ(events.at(0).name, "hello");
    EXPECT_EQ(events.at(1).name, "reset");
    EXPECT_EQ(events.at(1).id, events.at(1).data.at("sequence"));
    EXPECT_EQ(events.at(2).data.at("payment_id"), "live" + std::to_string(last.value()));
  }
}

TEST_F(LiveHubTest, WhatDoesNotFitOneStreamComesInSeveral) {
  PaymentEvent event = Captured("p", 100);
  event.metadata["text"] = std::string(3'900, '\x01');  // six bytes each in JSON
  std::vector<std::string> sequences;
  for (int i = 0; i < 60; ++i) {
    event.payment_id = "p" + std::to_string(i);
    sequences.push_back(std::to_string(Apply(event).sequence.value()));
  }
  Open();
  std::vector<std::string> seen;
  std::optional<Sequence> last = Sequence(0);
  size_t streams = 0;
  while (seen.size() < sequences.size()) {
    ASSERT_LT(streams++, 10U);
    Reader reader(Watch("m1", last));
    for (const LiveEvent& told : reader.Take()) {
      if (told.name == "transaction") seen.push_back(told.id);
    }
    last = Sequence(std::stoull(reader.last_id()));
  }
  EXPECT_EQ(seen, sequences);
  EXPECT_GT(streams, 1U);
}

// Readers that come, read a little, go, and come again, while events are applied.
TEST_F(LiveHubTest, NoGapAndNoCopyAtTheSeamOfWhatWasMissedAndWhatComes) {
  constexpr int kEvents = 3'000;
  constexpr int kReaders = 3;
  Apply(Captured("first", 100));
  Open();
  const Sequence start = host_.ledger->Head().sequence;
  std::atomic<bool> done = false;
  std::vector<std::string> expected;
  std::vector<std::atomic<size_t>> seams(kReaders);
  std::thread writer([&] {
    for (int i = 0; i < kEvents; i += 3) {
      // Every reader has its seams spread over the events, however slow it is.
      for (const std::atomic<size_t>& of_reader : seams) {
        while (of_reader < static_cast<size_t>(i) * 10 / kEvents) std::this_thread::yield();
      }
      const std::string n = std::to_string(i);
      const auto result = host_.intake->Apply(
          std::vector<PaymentEvent>{Captured("a" + n, 100), Captured("b" + n, 5, 0, "m2"), Captured("c" + n, 7)});
      ASSERT_THAT(result, IsOk());
      expected.push_back(std::to_string(result->outcomes[0].sequence.value()));
      expected.push_back(std::to_string(result->outcomes[2].sequence.value()));
    }
    done = true;
  });
  std::vector<std::vector<std::string>> seen(kReaders);
  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] {
      Sequence last = start;
      while (true) {
        const bool was_done = done;
        Reader reader(Watch("m1", last));
        ++seams[r];
        // Some from before the seam, and, if there are any, some from behind it.
        for (int looks = 0; looks < 1 + r; ++looks) {
          for (const LiveEvent& event : reader.Take()) {
            EXPECT_NE(event.name, "reset");
            if (event.name == "transaction") seen[r].push_back(event.id);
          }
          std::this_thread::yield();
        }
        if (!reader.last_id().empty()) last = Sequence(std::stoull(reader.last_id()));
        reader.stream().Close();
        if (was_done && seen[r].size() >= static_cast<size_t>(kEvents) / 3 * 2) break;
      }
    });
  }
  writer.join();
  for (std::thread& reader : readers) reader.join();
  for (int r = 0; r < kReaders; ++r) {
    EXPECT_EQ(seen[r], expected);
    EXPECT_GT(seams[r], 5U);
  }
}

TEST_F(LiveHubTest, BoundsHoldAndClosedStreamsMakeRoom) {
  Open({.max_streams = 3, .max_streams_per_merchant = 2});
  const auto a = Watch("m1");
  const auto b = Watch("m1");
  EXPECT_THAT(hub_->Watch("m1", std::nullopt), StatusIs(absl::StatusCode::kResourceExhausted));
  const auto c = Watch("m2");
  EXPECT_THAT(hub_->Watch("m3", std::nullopt), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(hub_->streams(), 3U);
  a->Close();
  const auto d = Watch("m1");
  // Without anybody who asks, too.
  b->Close();
  c->Close();
  while (hub_->streams() != 1) std::this_thread::yield();
}

TEST_F(LiveHubTest, AReaderThatDoesNotKeepUpIsCutOffAndGoesOn) {
  Open();
  Reader reader(Watch("m1"));
  PaymentEvent event = Captured("p", 100);
  event.metadata["text"] = std::string(3'900, '\x01');
  std::vector<std::string> expected;
  for (int i = 0; !reader.stream().closed(); ++i) {
    event.payment_id = "p" + std::to_string(i);
    expected.push_back(std::to_string(Apply(event).sequence.value()));
  }
  std::vector<std::string> seen;
  std::shared_ptr<EventStream> next;
  for (const LiveEvent& told : reader.Take()) {
    if (told.name == "transaction") seen.push_back(told.id);
  }
  ASSERT_FALSE(seen.empty());
  Reader again(Watch("m1", Sequence(std::stoull(reader.last_id()))));
  while (seen.size() < expected.size()) {
    for (const LiveEvent& told : again.Take()) {
      if (told.name == "transaction") seen.push_back(told.id);
    }
  }
  EXPECT_EQ(seen, expected);
}

TEST_F(LiveHubTest, AStreamEndsAtItsAgeAndAllEndWithTheHub) {
  Open({.max_age = absl::ZeroDuration()});
  const auto old = Watch("m1");
  while (!old->closed()) std::this_thread::yield();
  Open();
  const auto stream = Watch("m1");
  hub_->Stop();
  EXPECT_TRUE(stream->closed());
  EXPECT_THAT(hub_->Watch("m1", std::nullopt), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(hub_->Start(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(LiveHubTest, ThousandsOfStreamsAreToldAndCostLittle) {
  constexpr size_t kMerchants = 100;
  Open();
  std::vector<Reader> readers;
  for (size_t i = 0; i < 5'000; ++i) readers.emplace_back(Watch("m" + std::to_string(i % kMerchants)));
  const auto begin = std::chrono::steady_clock::now();
  constexpr size_t kEach = 20;
  for (size_t i = 0; i < kEach; ++i) {
    std::vector<PaymentEvent> events;
    for (size_t m = 0; m < kMerchants; ++m) {
      const std::string merchant = "m" + std::to_string(m);
      events.push_back(Captured("p" + std::to_string(i) + merchant, 100, 0, merchant));
    }
    ASSERT_THAT(host_.intake->Apply(events), IsOk());
  }
  for (Reader& reader : readers) {
    const std::vector<LiveEvent> events = reader.Await(1 + kEach);
    ASSERT_THAT(events, SizeIs(1 + kEach));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%zu events put into 5000 streams and read in %.2f s\n", 5'000 * kEach, seconds);
}

TEST_F(LiveHubTest, TheRouteTakesTheLastIdOfTheReader) {
  const Sequence first = Apply(Captured("p1", 100)).sequence;
  Apply(Captured("p2", 100));
  Open();
  std::atomic<bool> good = true;
  server::AddLiveRoutes(router_, *hub_, [&good](const Request&, const Caller& caller) {
    EXPECT_EQ(caller.merchant, "m1");
    return [&good] { return good.load(); };
  });
  const auto ask = [&](const std::string& id, std::string_view who = "m1") {
    Request request = MakeRequest(Method::kGet, "/v1/merchants/m1/live", who);
    request.fields.push_back({"Last-Event-ID", id});
    return Ask(router_, std::move(request));
  };
  const Response response = ask(std::to_string(first.value()));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/event-stream");
  ASSERT_NE(response.stream, nullptr);
  EXPECT_EQ(Reader(response.stream).Await(2).at(1).data.at("payment_id"), "p2");
  EXPECT_NE(ask("").stream, nullptr);
  EXPECT_EQ(ask("x").status, 400);
  EXPECT_EQ(ask("-1").status, 400);
  EXPECT_EQ(ask("", "m2").status, 404);
  EXPECT_EQ(ask("", "nobody").status, 401);
  // A credential that is good no more ends the streams that were begun with it.
  EXPECT_FALSE(response.stream->closed());
  good = false;
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  while (!response.stream->closed() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_TRUE(response.stream->closed());
}

}  // namespace
}  // namespace northwind::testing
