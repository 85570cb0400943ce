// SPDX-License-Identifier: Apache-2.0
//
// A cutover in a process that is killed again and again: what it said holds. NORTHWIND_TEST_KILLS sets how often.
#include <cstdio>
#include <map>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "northwind/cutover.h"
#include "src/cutover/audit_log.h"
#include "tests/cutover/kill_protocol.h"
#include "tests/support/killer.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

TEST(CutoverKill, WhatWasSaidIsKeptAndSettingsNeverGoBack) {
  const TempDir directory;
  Random random(TestSeed());
  Killer<CutoverMessage> killer(random, {});
  std::map<uint64_t, uint64_t> assigned;  // number → system
  uint64_t epoch = 0, next = 0;
  bool routed = false;
  for (uint64_t kill = TestOps(40, "NORTHWIND_TEST_KILLS"); kill > 0; --kill) {
    ASSERT_NO_FATAL_FAILURE(killer.RunAndKill({NORTHWIND_CUTOVER_CHILD, directory.path(), std::to_string(next)},
                                              [&](const CutoverMessage& message) {
                                                EXPECT_GE(message.epoch, epoch) << "settings went back";
                                                epoch = message.epoch;
                                                if (message.kind == CutoverMessage::kRouted) routed = true;
                                                if (message.kind == CutoverMessage::kResumed) routed = false;
                                                if (message.kind == CutoverMessage::kAssigned) {
                                                  assigned[message.number] = message.system;
                                                  next = (message.number + 1) / 2;  // calls of which all is known
                                                }
                                                return message.kind == CutoverMessage::kOpened;
                                              }));
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = directory / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(const auto cutover, Cutover::Open(*store, {.salt = "kill"}));
    // One change may have been written that nobody was told of, besides those of opening.
    const CutoverStatus status = cutover->Status();
    ASSERT_GE(status.epoch, epoch);
    ASSERT_TRUE(status.epoch > epoch || status.routed_to_batch == routed);
    routed = status.routed_to_batch;
    uint64_t lines = 0;
    for (;;) {
      NW_ASSERT_OK_AND_ASSIGN(const auto page, cutover->AuditLog(lines, kMaxAuditPage));
      if (page.empty()) break;
      lines = page.back().number;
    }
    ASSERT_EQ(lines, status.epoch) << "a change without its line";
    ASSERT_THAT(store->Get(internal::AuditKey(lines + 1)), IsOkAndHolds(std::nullopt)) << "a line without its change";
    // The last call may be one that nobody heard of, or half of it: it has both of its ids, or none.
    const auto last = cutover->Find("po" + std::to_string(2 * next));
    ASSERT_EQ(last.ok(), cutover->Find("po" + std::to_string(2 * next + 1)).ok()) << "half of a call";
    if (last.ok()) {
      for (uint64_t i = 0; i < 2; ++i) assigned.emplace(2 * next + i, static_cast<uint64_t>(last->system));
      ++next;
    }
    uint64_t residue = 0;
    for (const auto& [number, system] : assigned) {
      const auto found = cutover->Find("po" + std::to_string(number));
      ASSERT_THAT(found, IsOk());
      ASSERT_EQ(static_cast<uint64_t>(found->system), system) << "assigned again";
      if (found->system == SettlementSystem::kNorthwind) ++residue;
    }
    ASSERT_EQ(status.residue, residue);
  }
  std::printf("%llu kills, %llu of them while opening; %zu ids\n", killer.kills(), killer.kills_while_opening(),
              assigned.size());
}

}  // namespace
}  // namespace northwind::testing
