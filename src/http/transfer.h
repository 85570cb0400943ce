// SPDX-License-Identifier: Apache-2.0
//
// For client.cc only: the one header here that shows libcurl's types.
#ifndef NORTHWIND_SRC_HTTP_TRANSFER_H_
#define NORTHWIND_SRC_HTTP_TRANSFER_H_

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/http/address_guard.h"
#include "src/http/client.h"
#include "src/http/ip_address.h"
#include "src/http/request.h"
#include "src/http/result.h"
#include "src/http/url.h"

namespace northwind::internal::http {

struct CleanupEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CleanupShare {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using EasyHandle = std::unique_ptr<CURL, CleanupEasy>;

// What all transfers of a client have in common.
struct TransferRules {
  AddressGuard guard;
  Schemes schemes;
  std::string ca_bundle;
  std::string user_agent;
  // Sockets are below it: what is above is left to the rest of the process.
  int descriptors;
};

// A connection is not reused after so long without use.
inline constexpr std::chrono::seconds kMaxIdle{60};

// One request under way, from Start to its result:
//
//   Check ─► (name lookup) ─► Vet ─► Prepare ─► libcurl ─► Complete ─► TakeResult
//
// Every step but the last may fail, which sets the result and ends it. One thread at a time.
//
// Addresses are decided once, in Vet, and three things hold libcurl to them. Its cache of names is one of this transfer
// alone and holds the vetted addresses before it begins, so it has nothing to look up. If it wanted to look up a
// name nevertheless, it is refused. And a socket is opened only for an address that was vetted here; on a connection that
// is there already, the address is judged again before the request is sent.
class Transfer {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  Transfer(Request request, ResultCallback callback, const TransferRules& rules);
  // Not while libcurl's multi handle holds easy().
  ~Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  bool Check();
  bool Vet(const absl::StatusOr<std::vector<IpAddress>>& addresses);
  // `easy`: a handle that another transfer has given back; null: a new one.
  bool Prepare(EasyHandle easy);
  // After Prepare: on a new connection, which is closed afterwards.
  void UseOwnConnection();
  void Complete(CURLcode code);
  // Gives the handle back, as if new, for the next transfer: a new one costs more than most requests. After Complete, and
  // not while libcurl's multi handle holds it.
  EasyHandle TakeEasy();
  // Ends it for a reason of the caller's.
  void Fail(Failure failure, std::string message);
  // At the end, once.
  Result TakeResult();

  const Url& url() const { return url_; }
  CURL* easy() const { return easy_.get(); }
  ResultCallback& callback() { return callback_; }
  // Once complete: whether it was sent, and its time ran out without a byte in answer.
  bool unanswered() const { return unanswered_; }
  // Until when it must be connected.
  SteadyTime connect_deadline() const { return connect_deadline_; }

 private:
  void SetWhere();
  void SetNames();
  void SetTls();
  void SetWhat();
  void SetHeaders();
  void SetSignature();
  void SetLimits();
  template <typename Value>
  void Set(CURLoption option, Value value);
  void AddHeaderLine(const std::string& line);

  bool OnHeader(std::string_view line);
  bool OnBody(std::string_view bytes);

  void ReadInfo();
  void FailBy(CURLcode code);
  std::string TimeoutMessage() const;
  std::string TlsMessage() const;

  // libcurl's callbacks; the last argument, or the first, is the transfer.
  static size_t HeaderCallback(char* data, size_t size, size_t count, void* self);
  static size_t BodyCallback(char* data, size_t size, size_t count, void* self);
  static curl_socket_t OpenSocketCallback(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int ResolverStartCallback(void* resolver, void* reserved, void* self);
  static int BeforeRequestCallback(void* self, char* remote, char* local, int remote_port, int local_port);

  const TransferRules& rules_;
  const Request request_;
  ResultCallback callback_;
  const SteadyTime started_;
  const SteadyTime deadline_;
  const SteadyTime connect_deadline_;
  Url url_;
  std::vector<IpAddress> vetted_;
  Result result_;

  // Of the response being read.
  size_t header_bytes_ = 0;
  bool in_head_ = false;
  bool head_is_over_ = false;  // the final one
  bool headers_too_large_ = false;
  bool refused_address_ = false;
  bool no_descriptor_ = false;
  bool unanswered_ = false;
  CURLcode set_code_ = CURLE_OK;  // the first error of setting an option

  // In this order: the easy handle, destroyed first, uses the others.
  std::unique_ptr<CURLSH, CleanupShare> names_;
  std::unique_ptr<curl_slist, FreeList> resolved_;
  std::unique_ptr<curl_slist, FreeList> header_lines_;
  EasyHandle easy_;
};

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_TRANSFER_H_
