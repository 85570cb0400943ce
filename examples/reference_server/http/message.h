// SPDX-License-Identifier: Apache-2.0
//
// A request that was read whole, and what is answered. No type of Boost is here: what answers requests need not know what
// carries them.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_MESSAGE_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace northwind::server {

enum class Method : uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete };
std::string_view Name(Method method);
std::optional<Method> ParseMethod(std::string_view name);

struct Field {
  std::string name;
  std::string value;
};

struct Request {
  Method method = Method::kGet;
  std::string path;                                        // without the query, as sent
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in the order sent; a name may come twice
  std::vector<Field> fields;
  std::string body;
  std::string remote;  // the address of the peer, without the port
  std::string id;      // "req_" and 26 characters: in the answer's X-Request-Id, in logs and problems
  absl::Time received_at;
  bool tls = false;
  // By the router: the parts of the path that the pattern names, decoded.
  std::map<std::string, std::string> params;

  // The first field of that name, without case; nothing if there is none.
  std::optional<std::string_view> field(std::string_view name) const;
  std::optional<std::string_view> query_value(std::string_view name) const;  // the first
  const std::string& param(const std::string& name) const { return params.at(name); }
};

// Lines of text/event-stream that come when they come. The connection takes them; whoever has news puts them in, from any
// thread, without blocking. Bounded: a reader that does not keep up is cut off, and goes on from its Last-Event-ID.
class EventStream {
 public:
  explicit EventStream(size_t max_bytes = 256 << 10);
  virtual ~EventStream();
  // False: it is closed, or full and closed by that. `text` is whole events, each ended by an empty line.
  bool Put(std::string_view text);
  void Close();
  bool closed() const;

  // For the connection. What there is, moved out; empty if nothing is. Whether there was no more and it is closed: closed().
  std::string Take();
  // Called, on whatever thread, when Put or Close makes a difference to an empty Take; once for each time that it is set.
  void OnReady(std::function<void()> ready);

 private:
  struct State;
  const size_t max_bytes_;
  std::shared_ptr<State> state_;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";  // empty: no body
  std::vector<Field> fields;  // besides those that the connection sets: Date, Content-Length, X-Request-Id, ...
  std::string body;
  // Instead of the body, a piece at a time, on a thread that may block, until one is empty; an error cuts the connection off, so that
  // the reader can tell that it is not whole.
  std::function<absl::StatusOr<std::string>()> pull;
  // Instead of the body, for as long as it is not closed.
  std::shared_ptr<EventStream> stream;
  // For logs and metrics; not sent. By the router: Route::name and Caller::id. Of a failure: why.
  std::string route;
  std::string caller;
  std::string cause;
};

using Respond = std::function<void(Response)>;

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_MESSAGE_H_
