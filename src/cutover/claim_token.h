// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_CUTOVER_CLAIM_TOKEN_H_
#define NORTHWIND_SRC_CUTOVER_CLAIM_TOKEN_H_

#include <unistd.h>

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "northwind/cutover.h"
#include "northwind/status.h"

namespace northwind::internal {

// Whose attempt a claim is. Nobody else's is the same.
inline std::array<uint8_t, 16> NewClaimToken() {
  std::array<uint8_t, 16> token;
  NW_CHECK(getentropy(token.data(), token.size()) == 0, "the system has no random numbers");
  return token;
}

// Once more with the same token if the arbiter could not be reached: the claim may have been made and only the answer lost.
inline absl::StatusOr<ClaimVerdict> ClaimTwice(ClaimArbiter& claims, const ClaimRequest& request) {
  absl::StatusOr<ClaimVerdict> verdict = claims.Claim(request);
  if (absl::IsUnavailable(verdict.status())) verdict = claims.Claim(request);
  return verdict;
}

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_CUTOVER_CLAIM_TOKEN_H_
