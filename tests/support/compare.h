// SPDX-License-Identifier: Apache-2.0
//
// Holds a ledger against the model. Every difference is a fatal GoogleTest failure: check HasFatalFailure().
#ifndef NORTHWIND_TESTS_SUPPORT_COMPARE_H_
#define NORTHWIND_TESTS_SUPPORT_COMPARE_H_

#include "northwind/ledger.h"
#include "tests/support/model.h"
#include "tests/support/seed.h"

namespace northwind::testing {

// Head, and every account with its totals, through GetAccount, FindAccount, Balances and ListAccounts.
void ExpectSameAccounts(const Ledger& ledger, const Model& model, size_t page = 100);
// Every record after `after`, read in pages.
void ExpectSameJournal(const Ledger& ledger, const Model& model, Sequence after = Sequence(), size_t page = 1000);
// The whole history of an account, both ways, in pages.
void ExpectSameHistory(const Ledger& ledger, const Model& model, AccountId id, size_t page);
// One read, of a random kind at a random place.
void ExpectSameRandomRead(const Ledger& ledger, const Model& model, Random& random);
// All of the above, every transaction by key, sequence and reference, all holds, and what Verify counts.
void ExpectSameEverything(const Ledger& ledger, const Model& model);

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_COMPARE_H_
