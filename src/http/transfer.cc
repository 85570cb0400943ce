// SPDX-License-Identifier: Apache-2.0
#include "src/http/transfer.h"

#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal::http {
namespace {

// Every address of a name is judged; of those this many are tried.
constexpr ptrdiff_t kMaxAddressesTried = 16;
// A connection is not reused so long after it was opened.
constexpr long kMaxConnectionSeconds = 600;

constexpr const char* kAddressMessage = "the host is, or has, an address that is not allowed";
constexpr const char* kHeadersMessage = "the response has too many bytes of headers";

std::chrono::nanoseconds ToChrono(absl::Duration duration) {
  return absl::ToChronoNanoseconds(std::min(duration, kMaxTimeout));
}

// What is left until then, as libcurl takes it: 0 would mean no limit.
long MillisecondsUntil(Transfer::SteadyTime then) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(then - std::chrono::steady_clock::now()).count();
  return static_cast<long>(std::max<decltype(left)>(left, 1));
}

absl::Duration InfoTime(CURL* easy, CURLINFO info) {
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy, info, &microseconds);
  return absl::Microseconds(microseconds);
}

long InfoLong(CURL* easy, CURLINFO info) {
  long value = 0;
  curl_easy_getinfo(easy, info, &value);
  return value;
}

// From one of libcurl's moments to a later one; zero if the later one never came.
absl::Duration Phase(absl::Duration from, absl::Duration to) { return std::max(to - from, absl::ZeroDuration()); }

std::string_view TrimSpace(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Transfer::Transfer(Request request, ResultCallback callback, const TransferRules& rules)
    : rules_(rules),
      request_(std::move(request)),
      callback_(std::move(callback)),
      started_(std::chrono::steady_clock::now()),
      deadline_(started_ + ToChrono(request_.timeout)),
      connect_deadline_(started_ + ToChrono(std::min(request_.connect_timeout, request_.timeout))) {}

bool Transfer::Check() {
  if (const absl::Status status = CheckRequest(request_); !status.ok()) {
    Fail(Failure::kInvalidRequest, std::string(status.message()));
    return false;
  }
  absl::StatusOr<Url> url = ParseUrl(request_.url, rules_.schemes);
  if (!url.ok()) {
    Fail(Failure::kInvalidUrl, std::string(url.status().message()));
    return false;
  }
  url_ = *std::move(url);
  return true;
}

bool Transfer::Vet(const absl::StatusOr<std::vector<IpAddress>>& addresses) {
  result_.times.dns =
      url_.literal ? absl::ZeroDuration() : absl::FromChrono(std::chrono::steady_clock::now() - started_);
  if (!addresses.ok() || addresses->empty()) {
    Fail(Failure::kDns, absl::IsUnavailable(addresses.status()) ? "the host's name could not be looked up"
                                                                : "the host's name has no address");
    return false;
  }
  for (const IpAddress& address : *addresses) {
    switch (rules_.guard.Check(address, url_.port)) {
      case AddressGuard::Verdict::kAllowed:
        break;
      case AddressGuard::Verdict::kDeniedAddress:
        Fail(Failure::kBlockedAddress, kAddressMessage);
        return false;
      case AddressGuard::Verdict::kDeniedPort:
        Fail(Failure::kBlockedPort, "the port is not allowed");
        return false;
    }
  }
  vetted_ = *addresses;
  if (std::ssize(vetted_) > kMaxAddressesTried) vetted_.erase(vetted_.begin() + kMaxAddressesTried, vetted_.end());
  return true;
}

bool Transfer::Prepare(EasyHandle easy) {
  if (std::chrono::steady_clock::now() >= connect_deadline_) {
    Fail(Failure::kTimeout, TimeoutMessage());
    return false;
  }
  names_.reset(curl_share_init());
  easy_ = easy != nullptr ? std::move(easy) : EasyHandle(curl_easy_init());
  NW_CHECK(names_ != nullptr && easy_ != nullptr, "out of memory");
  SetWhere();
  SetNames();
  SetTls();
  SetWhat();
  SetHeaders();
  SetSignature();
  SetLimits();
  if (set_code_ == CURLE_OK) return true;
  FailBy(set_code_);
  return false;
}

void Transfer::UseOwnConnection() {
  Set(CURLOPT_FRESH_CONNECT, 1L);
  Set(CURLOPT_FORBID_REUSE, 1L);
}

template <typename Value>
void Transfer::Set(CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy_.get(), option, value);
  if (set_code_ == CURLE_OK) set_code_ = code;
}

void Transfer::SetWhere() {
  Set(CURLOPT_PRIVATE, static_cast<void*>(this));
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_URL, url_.text.c_str());
  Set(CURLOPT_PROTOCOLS_STR, rules_.schemes == Schemes::kHttpsOnly ? "https" : "http,https");
  Set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  Set(CURLOPT_FOLLOWLOCATION, 0L);
  Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  // An empty name also switches the environment's proxies off.
  Set(CURLOPT_PROXY, "");
  Set(CURLOPT_NOPROXY, "*");
  Set(CURLOPT_OPENSOCKETFUNCTION, &OpenSocketCallback);
  Set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  Set(CURLOPT_PREREQFUNCTION, &BeforeRequestCallback);
  Set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  Set(CURLOPT_MAXAGE_CONN, static_cast<long>(kMaxIdle.count()));
  Set(CURLOPT_MAXLIFETIME_CONN, kMaxConnectionSeconds);
}

void Transfer::SetNames() {
  // A cache of names for this transfer alone, instead of the one that all transfers of a multi handle have in common.
  if (curl_share_setopt(names_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK) set_code_ = CURLE_FAILED_INIT;
  Set(CURLOPT_SHARE, names_.get());
  Set(CURLOPT_DNS_CACHE_TIMEOUT, -1L);
  Set(CURLOPT_RESOLVER_START_FUNCTION, &ResolverStartCallback);
  Set(CURLOPT_RESOLVER_START_DATA, static_cast<void*>(this));
  if (url_.literal) return;
  const auto append = [](std::string* out, const IpAddress& address) {
    const bool v6 = address.family() == IpAddress::Family::kV6;
    absl::StrAppend(out, v6 ? "[" : "", address.ToString(), v6 ? "]" : "");
  };
  resolved_.reset(curl_slist_append(
      nullptr, absl::StrCat(url_.host, ":", url_.port, ":", absl::StrJoin(vetted_, ",", append)).c_str()));
  NW_CHECK(resolved_ != nullptr, "out of memory");
  Set(CURLOPT_RESOLVE, resolved_.get());
}

void Transfer::SetTls() {
  Set(CURLOPT_SSL_VERIFYPEER, 1L);
  Set(CURLOPT_SSL_VERIFYHOST, 2L);
  Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // Sessions would be kept in the handle, which goes on to transfers to others: every connection verifies anew.
  Set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  if (rules_.ca_bundle.empty()) return;
  Set(CURLOPT_CAINFO, rules_.ca_bundle.c_str());
  Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
}

void Transfer::SetWhat() {
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  Set(CURLOPT_HTTP09_ALLOWED, 0L);
  Set(CURLOPT_ACCEPT_ENCODING, static_cast<const char*>(nullptr));
  Set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  Set(CURLOPT_USERAGENT, rules_.user_agent.c_str());
  if (request_.method == Method::kGet) {
    Set(CURLOPT_HTTPGET, 1L);
    return;
  }
  // libcurl reads the body where it is. POST, named otherwise below, as that is how libcurl sends a body from memory.
  if (request_.method != Method::kDelete || !request_.body.empty()) {
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    Set(CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (request_.method != Method::kPost) Set(CURLOPT_CUSTOMREQUEST, MethodName(request_.method));
}

void Transfer::SetHeaders() {
  bool has_content_type = false;
  for (const Header& header : request_.headers) {
    // An empty value is written so, as libcurl takes "Name:" for the wish to leave a header of its own out.
    AddHeaderLine(header.value.empty() ? absl::StrCat(header.name, ";")
                                       : absl::StrCat(header.name, ": ", header.value));
    has_content_type = has_content_type || absl::EqualsIgnoreCase(header.name, "content-type");
  }
  // A header that is left out would be signed nevertheless; a body that is signed is too small to be asked for.
  if (!request_.signature) AddHeaderLine("Expect:");
  if (!has_content_type) AddHeaderLine("Content-Type:");
  Set(CURLOPT_HTTPHEADER, header_lines_.get());
}

void Transfer::SetSignature() {
  if (!request_.signature) return;
  const AwsSignature& signature = *request_.signature;
  Set(CURLOPT_AWS_SIGV4, absl::StrCat("aws:amz:", signature.region, ":", signature.service).c_str());
  Set(CURLOPT_USERNAME, signature.access_key_id.c_str());
  Set(CURLOPT_PASSWORD, signature.secret_access_key.c_str());
}

void Transfer::AddHeaderLine(const std::string& line) {
  curl_slist* const longer = curl_slist_append(header_lines_.get(), line.c_str());
  NW_CHECK(longer != nullptr, "out of memory");
  static_cast<void>(header_lines_.release());  // the longer list begins with it
  header_lines_.reset(longer);
}

void Transfer::SetLimits() {
  Set(CURLOPT_TIMEOUT_MS, MillisecondsUntil(deadline_));
  Set(CURLOPT_CONNECTTIMEOUT_MS, MillisecondsUntil(connect_deadline_));
  Set(CURLOPT_HEADERFUNCTION, &HeaderCallback);
  Set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(CURLOPT_WRITEFUNCTION, &BodyCallback);
  Set(CURLOPT_WRITEDATA, static_cast<void*>(this));
}

size_t Transfer::HeaderCallback(char* data, size_t size, size_t count, void* self) {
  return static_cast<Transfer*>(self)->OnHeader({data, size * count}) ? size * count : 0;
}

size_t Transfer::BodyCallback(char* data, size_t size, size_t count, void* self) {
  // Any number but that of the bytes given ends the transfer; there is never a call with none.
  return static_cast<Transfer*>(self)->OnBody({data, size * count}) ? size * count : 0;
}

// Called for each line of each head, of interim responses too, and for trailers.
bool Transfer::OnHeader(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > request_.max_header_bytes) {
    headers_too_large_ = true;
    return false;
  }
  if (head_is_over_) return true;  // a trailer, even if it looks like another head
  if (absl::StartsWith(ToAbsl(line), "HTTP/")) {
    result_.headers.clear();
    in_head_ = true;
    return true;
  }
  if (!in_head_) return true;
  const size_t colon = line.find(':');
  if (TrimSpace(line).empty()) {
    in_head_ = false;
    head_is_over_ = InfoLong(easy_.get(), CURLINFO_RESPONSE_CODE) >= 200;
  } else if (colon != std::string_view::npos && line[0] != ' ' && line[0] != '\t') {
    result_.headers.push_back({std::string(line.substr(0, colon)), std::string(TrimSpace(line.substr(colon + 1)))});
  }
  return true;
}

bool Transfer::OnBody(std::string_view bytes) {
  const size_t room = request_.max_body_bytes - result_.body.size();
  result_.body.append(bytes.substr(0, room));
  result_.truncated = bytes.size() > room;
  return !result_.truncated;
}

curl_socket_t Transfer::OpenSocketCallback(void* self, curlsocktype purpose, curl_sockaddr* address) {
  auto* const transfer = static_cast<Transfer*>(self);
  const std::optional<IpAddress> ip = IpAddress::FromSockaddr(address->addr);
  const std::vector<IpAddress>& vetted = transfer->vetted_;
  if (purpose != CURLSOCKTYPE_IPCXN || !ip || std::find(vetted.begin(), vetted.end(), *ip) == vetted.end()) {
    transfer->refused_address_ = true;
    return CURL_SOCKET_BAD;
  }
  const int made = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (made >= 0 && made < transfer->rules_.descriptors) return made;
  if (made >= 0) close(made);
  transfer->no_descriptor_ = made >= 0 || errno == EMFILE || errno == ENFILE;
  return CURL_SOCKET_BAD;
}

int Transfer::ResolverStartCallback(void* /*resolver*/, void* /*reserved*/, void* self) {
  // libcurl also calls this for addresses, which need no lookup.
  return static_cast<Transfer*>(self)->url_.literal ? 0 : 1;
}

int Transfer::BeforeRequestCallback(void* self, char* remote, char* /*local*/, int remote_port, int /*local_port*/) {
  auto* const transfer = static_cast<Transfer*>(self);
  const std::optional<IpAddress> address = IpAddress::Parse(remote);
  if (address &&
      transfer->rules_.guard.Check(*address, static_cast<uint16_t>(remote_port)) == AddressGuard::Verdict::kAllowed) {
    return CURL_PREREQFUNC_OK;
  }
  transfer->refused_address_ = true;
  return CURL_PREREQFUNC_ABORT;
}

void Transfer::Complete(CURLcode code) {
  ReadInfo();
  if (code == CURLE_OK || result_.truncated) return;  // cut by us, whatever libcurl makes of that
  unanswered_ = code == CURLE_OPERATION_TIMEDOUT && header_bytes_ == 0 &&
                InfoTime(easy_.get(), CURLINFO_PRETRANSFER_TIME_T) > absl::ZeroDuration();
  FailBy(code);
}

EasyHandle Transfer::TakeEasy() {
  // Leaves the cache of names behind, and forgets all options.
  if (curl_easy_setopt(easy_.get(), CURLOPT_SHARE, static_cast<CURLSH*>(nullptr)) != CURLE_OK) return nullptr;
  curl_easy_reset(easy_.get());
  return std::move(easy_);
}

void Transfer::ReadInfo() {
  CURL* const easy = easy_.get();
  // While a head is incomplete, its status may still be an interim one.
  if (const long status = InfoLong(easy, CURLINFO_RESPONSE_CODE); status >= 200 && !in_head_) {
    result_.status = static_cast<int>(status);
  } else {
    result_.headers.clear();
  }
  const char* remote = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &remote);
  if (remote != nullptr) result_.remote_address = IpAddress::Parse(remote);
  if (result_.remote_address) result_.remote_port = static_cast<uint16_t>(InfoLong(easy, CURLINFO_PRIMARY_PORT));

  const absl::Duration ready = InfoTime(easy, CURLINFO_PRETRANSFER_TIME_T);
  result_.reused_connection = ready > absl::ZeroDuration() && InfoLong(easy, CURLINFO_NUM_CONNECTS) == 0;
  if (!result_.reused_connection) {
    const absl::Duration connected = InfoTime(easy, CURLINFO_CONNECT_TIME_T);
    result_.times.connect = Phase(InfoTime(easy, CURLINFO_NAMELOOKUP_TIME_T), connected);
    result_.times.tls = Phase(connected, InfoTime(easy, CURLINFO_APPCONNECT_TIME_T));
  }
  result_.times.first_byte = Phase(ready, InfoTime(easy, CURLINFO_STARTTRANSFER_TIME_T));
}

void Transfer::FailBy(CURLcode code) {
  if (headers_too_large_) return Fail(Failure::kHeadersTooLarge, kHeadersMessage);
  if (refused_address_ && code != CURLE_OPERATION_TIMEDOUT) {
    return Fail(Failure::kBlockedAddress, kAddressMessage);
  }
  if (no_descriptor_ && code == CURLE_COULDNT_CONNECT)
    return Fail(Failure::kInternal, "no descriptor for a connection");
  switch (code) {
    case CURLE_OUT_OF_MEMORY:
#if LIBCURL_VERSION_NUM >= 0x080600
    case CURLE_TOO_LARGE:
#endif
      // What libcurl says of a line that passes its own bound before it has ended.
      if (InfoTime(easy_.get(), CURLINFO_PRETRANSFER_TIME_T) > absl::ZeroDuration() && result_.status == 0) {
        return Fail(Failure::kHeadersTooLarge, kHeadersMessage);
      }
      return Fail(Failure::kInternal, curl_easy_strerror(code));
    case CURLE_URL_MALFORMAT:
      return Fail(Failure::kInvalidUrl, "URL refused");
    case CURLE_COULDNT_RESOLVE_HOST:
      return Fail(Failure::kDns, "the host's name could not be looked up");
    case CURLE_COULDNT_CONNECT: {
      const long error = InfoLong(easy_.get(), CURLINFO_OS_ERRNO);
      return Fail(Failure::kConnect, error == ECONNREFUSED ? "the connection was refused" : "could not connect");
    }
    case CURLE_OPERATION_TIMEDOUT:
      return Fail(Failure::kTimeout, TimeoutMessage());
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_PEER_FAILED_VERIFICATION:
      return Fail(Failure::kTls, TlsMessage());
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
      return Fail(Failure::kSend, "the connection broke while the request was sent");
    case CURLE_GOT_NOTHING:
      return Fail(Failure::kReceive, "the connection was closed without a response");
    case CURLE_PARTIAL_FILE:
      return Fail(Failure::kReceive, "the connection was closed within the response");
    case CURLE_RECV_ERROR:
      return Fail(Failure::kReceive, "the connection broke before the end of the response");
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // what HTTP/0.9 would be
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return Fail(Failure::kReceive, "the response is not proper HTTP");
    default:
      return Fail(Failure::kInternal, curl_easy_strerror(code));
  }
}

std::string Transfer::TimeoutMessage() const {
  if (easy_ == nullptr || InfoTime(easy_.get(), CURLINFO_PRETRANSFER_TIME_T) == absl::ZeroDuration()) {
    return "timed out before it was connected";
  }
  return result_.status == 0 ? "timed out waiting for the response" : "timed out within the response";
}

std::string Transfer::TlsMessage() const {
  const long verified = InfoLong(easy_.get(), CURLINFO_SSL_VERIFYRESULT);
  if (verified == X509_V_OK) return "the TLS handshake failed, or the certificate is for another host";
  return absl::StrCat("the certificate was not accepted: ", X509_verify_cert_error_string(verified));
}

void Transfer::Fail(Failure failure, std::string message) {
  result_.failure = failure;
  result_.message = std::move(message);
}

Result Transfer::TakeResult() {
  result_.times.total = absl::FromChrono(std::chrono::steady_clock::now() - started_);
  return std::move(result_);
}

}  // namespace northwind::internal::http
