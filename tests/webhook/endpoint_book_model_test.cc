// SPDX-License-Identifier: Apache-2.0
//
// Random calls on the book and on a model of it, and a power cut at every moment of a series of calls.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/webhook/endpoint_book.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/webhook/endpoint_book_fixture.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::Loss;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;

// A book as a map and a few rules.
struct Model {
  struct One {
    uint64_t version = 1;
    EndpointState state = EndpointState::kEnabled;
    std::string url;
    std::optional<WebhookPolicy> policy;
    std::vector<std::string> events;
    std::vector<CustomHeader> headers;
    std::vector<std::pair<std::string, absl::Time>> secrets;  // verification key, end; the newest first
  };
  std::map<std::pair<std::string, std::string>, One> endpoints;
};

class EndpointBookModelTest : public EndpointBookTest {
 protected:
  void ExpectSame(const Model& model) {
    ASSERT_EQ(book_->size(), model.endpoints.size());
    std::map<std::string, std::vector<std::string>> matching;
    for (const auto& [name, one] : model.endpoints) {
      NW_ASSERT_OK_AND_ASSIGN(const EndpointPtr endpoint, book_->Get(name.first, name.second));
      ASSERT_EQ(endpoint->version, one.version);
      ASSERT_EQ(endpoint->state, one.state);
      ASSERT_EQ(endpoint->url, one.url);
      ASSERT_EQ(endpoint->policy, one.policy);
      ASSERT_EQ(endpoint->events, *EventFilter::Make(one.events));
      ASSERT_THAT(book_->Headers(*endpoint), IsOkAndHolds(one.headers));
      std::vector<std::string> expected, found;
      for (const auto& [key, end] : one.secrets) {
        if (end > clock_.Now()) expected.push_back(key);
      }
      const auto keys = book_->SigningKeys(*endpoint);
      ASSERT_THAT(keys, IsOk());
      for (const SigningKey& key : *keys) found.emplace_back(key.verification_key().Text().view());
      ASSERT_EQ(found, expected);
      if (one.state != EndpointState::kDisabled && one.events != std::vector<std::string>{"payment.*"}) {
        matching[name.first].push_back(name.second);
      }
    }
    for (const char* merchant : {"a", "a.b", "b"}) {
      ASSERT_EQ(Ids(*book_->MatchingEndpoints(merchant, "payout.paid")), matching[merchant]) << merchant;
    }
  }

  // One random call, on both.
  void Step(Random& random, Model& model) {
    clock_.Advance(absl::Minutes(random.Between(-5, 30)));
    const std::vector<std::string> merchants = {"a", "a.b", "b"}, ids = {"1", "2", "3", "4"};
    const std::string merchant = random.Pick(merchants), id = random.Pick(ids);
    const auto it = model.endpoints.find({merchant, id});
    const bool there = it != model.endpoints.end();
    const auto expect = [&](const absl::Status& status, bool changed) {
      if (!there) {
        ASSERT_THAT(status, StatusIs(absl::StatusCode::kNotFound));
      } else {
        ASSERT_THAT(status, IsOk());
        if (changed) Changed(it->second);
      }
    };
    const auto state = [&](EndpointState to, bool possible, const absl::Status& status) {
      if (there && !possible) {
        ASSERT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition));
        return;
      }
      expect(status, there && it->second.state != to);
      if (there) it->second.state = to;
    };
    const bool disabled = there && it->second.state == EndpointState::kDisabled;
    switch (random.Below(9)) {
      case 0:
      case 1:
        return Create(random, model, merchant, id);
      case 2:
        return Update(random, model, merchant, id);
      case 3:
        return state(EndpointState::kPaused, !disabled, book_->Pause(merchant, id).status());
      case 4:
        return state(EndpointState::kEnabled, !disabled, book_->Resume(merchant, id).status());
      case 5:
        return state(EndpointState::kDisabled, true,
                     book_->Disable(merchant, id, DisableReason::kFailing, "").status());
      case 6:
        return state(disabled || !there ? EndpointState::kEnabled : it->second.state, true,
                     book_->Enable(merchant, id).status());
      case 7:
        return Rotate(random, model, merchant, id);
      default:
        if (!random.OneIn(3)) return;
        expect(book_->Delete(merchant, id), false);
        if (there) model.endpoints.erase(it);
    }
  }

  void Create(Random& random, Model& model, const std::string& merchant, const std::string& id) {
    EndpointSpec spec = Spec(id);
    if (random.OneIn(2)) spec.headers = {{"X-A", std::to_string(random.Next())}};
    if (random.OneIn(3)) spec.scheme = SignatureScheme::kEd25519;
    auto made = book_->Create(merchant, spec);
    if (model.endpoints.contains({merchant, id})) {
      ASSERT_THAT(made, StatusIs(absl::StatusCode::kAlreadyExists));
      return;
    }
    ASSERT_THAT(made, IsOk());
    model.endpoints[{merchant, id}] = {
        .url = spec.url,
        .events = spec.events,
        .headers = spec.headers,
        .secrets = {{std::string(made->verification_key.view()), absl::InfiniteFuture()}}};
  }

  void Update(Random& random, Model& model, const std::string& merchant, const std::string& id) {
    const auto it = model.endpoints.find({merchant, id});
    EndpointChange change;
    if (random.OneIn(2)) change.url = "https://shop.example/" + std::to_string(random.Below(3));
    if (random.OneIn(2)) change.events = {random.OneIn(2) ? "payout.*" : "payment.*"};
    if (random.OneIn(2)) change.headers = {{{"X-B", std::to_string(random.Below(3))}}};
    if (random.OneIn(2)) change.policy = std::optional<WebhookPolicy>();
    if (random.OneIn(2)) change.policy = WebhookPolicy{.burst = static_cast<uint32_t>(random.Between(1, 3))};
    const uint64_t version = it == model.endpoints.end() ? 1 : it->second.version - (random.OneIn(4) ? 1 : 0);
    const auto updated = book_->Update(merchant, id, version, change);
    if (it == model.endpoints.end()) {
      ASSERT_THAT(updated, StatusIs(absl::StatusCode::kNotFound));
      return;
    }
    Model::One& one = it->second;
    if (version != one.version) {
      ASSERT_TRUE(IsVersionConflict(updated.status()));
      return;
    }
    ASSERT_THAT(updated, IsOk());
    const auto set = [](auto& value, const auto& to) {
      const bool changed = to.has_value() && *to != value;
      if (changed) value = *to;
      return changed;
    };
    bool changed = set(one.url, change.url);
    changed |= set(one.events, change.events);
    changed |= set(one.headers, change.headers);
    changed |= set(one.policy, change.policy);
    if (changed) Changed(one);
  }

  void Rotate(Random& random, Model& model, const std::string& merchant, const std::string& id) {
    const auto it = model.endpoints.find({merchant, id});
    const absl::Duration overlap = absl::Minutes(random.Below(40));
    const auto made = book_->RotateSecret(merchant, id, {.overlap = overlap});
    if (it == model.endpoints.end()) {
      ASSERT_THAT(made, StatusIs(absl::StatusCode::kNotFound));
      return;
    }
    Model::One rotated = it->second;
    for (auto& [key, end] : rotated.secrets) end = std::min(end, clock_.Now() + overlap);
    DropEnded(rotated);
    if (rotated.secrets.size() >= kMaxEndpointSecrets) {
      ASSERT_THAT(made, StatusIs(absl::StatusCode::kFailedPrecondition));
      return;
    }
    ASSERT_THAT(made, IsOk());
    rotated.secrets.emplace(rotated.secrets.begin(), std::string(made->verification_key.view()),
                            absl::InfiniteFuture());
    ++rotated.version;
    it->second = rotated;
  }

  void Changed(Model::One& one) {
    ++one.version;
    DropEnded(one);
  }
  // The clock also goes back: what a change has dropped does not become good again, what none has dropped does.
  void DropEnded(Model::One& one) {
    std::erase_if(one.secrets, [&](const auto& secret) { return secret.second <= clock_.Now(); });
  }
};

TEST_F(EndpointBookModelTest, BehavesAsTheModelDoes) {
  options_.max_endpoints_per_merchant = 4;
  Random random(TestSeed());
  Reopen();
  Model model;
  const uint64_t steps = TestOps(2000);
  for (uint64_t i = 0; i < steps; ++i) {
    ASSERT_NO_FATAL_FAILURE(Step(random, model)) << "step " << i;
    const bool reopened = random.OneIn(50);
    if (reopened) Reopen();
    if (reopened || random.OneIn(5)) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(model)) << "step " << i;
    }
  }
}

// ---- Power cuts ---------------------------------------------------------------------------------------------

using EndpointBookPowerCutTest = EndpointBookTest;

// Power is cut at every change of the disk in turn. What was acknowledged is found again; of the call under way, all or
// nothing.
TEST_F(EndpointBookPowerCutTest, WhatWasAcknowledgedSurvivesAPowerCutAtAnyMoment) {
  options_.max_endpoints_per_merchant = 9;
  using Book = std::map<std::string, Endpoint>;
  const auto contents = [&] {
    Book all;
    for (const EndpointPtr& endpoint : All("m")) all.emplace(endpoint->id, *endpoint);
    return all;
  };
  const std::vector<std::function<absl::Status()>> calls = {
      [&] { return book_->Create("m", Spec("a")).status(); },
      [&] { return book_->Create("m", Spec("b")).status(); },
      [&] {
        return book_->Update("m", "a", 1, {.headers = {{{"X-A", "1"}}}}).status();
      },
      [&] { return book_->RotateSecret("m", "b", {}).status(); },
      [&] { return book_->Disable("m", "a", DisableReason::kGone, "410").status(); },
      [&] { return book_->Delete("m", "b"); },
      [&] { return book_->Enable("m", "a").status(); },
  };
  bool all_done = false;
  for (uint64_t cut = 0; !all_done; ++cut) {
    SCOPED_TRACE(cut);
    disk_.CutPowerAfter(cut);
    absl::Status status;
    size_t done = 0;
    while (done < calls.size() && (status = calls[done]()).ok()) ++done;
    all_done = done == calls.size();
    ASSERT_TRUE(all_done || absl::IsAborted(status)) << status;
    const Book acknowledged = contents();
    Shut();
    disk_.Restart(Loss::kUnsynced);
    ASSERT_NO_FATAL_FAILURE(Open());
    Book found = contents();
    if (!all_done && found != acknowledged) {
      // Then the call under way is there as a whole: one endpoint differs, by one version or by being there.
      const std::string id = done == 1 || done == 3 || done == 5 ? "b" : "a";
      Book others = acknowledged;
      const uint64_t before = others.contains(id) ? others.at(id).version : 0;
      if (done == 5) {
        EXPECT_FALSE(found.contains(id));
      } else {
        ASSERT_TRUE(found.contains(id));
        EXPECT_EQ(found.at(id).version, before + 1);
      }
      others.erase(id);
      found.erase(id);
      EXPECT_EQ(found, others);
    } else {
      EXPECT_EQ(found, acknowledged);
    }
    // From the start again.
    for (const auto& [id, endpoint] : contents()) ASSERT_THAT(book_->Delete("m", id), IsOk());
  }
}

}  // namespace
}  // namespace northwind::internal
