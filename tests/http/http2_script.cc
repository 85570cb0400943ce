// SPDX-License-Identifier: Apache-2.0
#include "tests/http/http2_script.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "northwind/status.h"

namespace northwind::testing {
namespace {

using AnswerFunction = std::function<Http2Answer(const ServedRequest&)>;

// One connection. nghttp2's callbacks get it as their user data.
class Session {
 public:
  Session(ServedConnection& connection, const AnswerFunction& answer) : connection_(connection), answer_(answer) {
    nghttp2_session_callbacks* callbacks = nullptr;
    NW_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0, "out of memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &OnFrame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &OnClose);
    NW_CHECK(nghttp2_session_server_new(&session_, callbacks, this) == 0, "out of memory");
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 1);
  }
  ~Session() { nghttp2_session_del(session_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Run() {
    while (Send()) {
      const std::optional<std::string> bytes = connection_.ReadBytes();
      if (!bytes) return;
      if (nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size()) < 0)
        return;
    }
  }

 private:
  struct Stream {
    ServedRequest request;
    Http2Answer answer;
    size_t sent = 0;
  };

  // What flow control lets through, until the client says something.
  bool Send() {
    while (!connection_.HasBytes()) {
      const uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) return false;
      if (size == 0) return true;
      if (!connection_.Write({reinterpret_cast<const char*>(data), static_cast<size_t>(size)})) return false;
    }
    return true;
  }

  void Answer(int32_t id, Stream& stream) {
    stream.answer = answer_(stream.request);
    if (stream.answer.hang) return;
    std::string name = ":status";
    std::string value = std::to_string(stream.answer.status);
    const nghttp2_nv header = {reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()),
                               name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
    const nghttp2_data_provider body = {.source = {.ptr = &stream}, .read_callback = &ReadBody};
    NW_CHECK(nghttp2_submit_response(session_, id, &header, 1, &body) == 0, "cannot answer");
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* self) {
    Stream& stream = static_cast<Session*>(self)->streams_[frame->hd.stream_id];
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":method") stream.request.method = text;
    if (key == ":path") stream.request.target = text;
    return 0;
  }
  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* self) {
    static_cast<Session*>(self)->streams_[id].request.body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    auto* const session = static_cast<Session*>(self);
    const bool request = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (request && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      session->Answer(frame->hd.stream_id, session->streams_[frame->hd.stream_id]);
    }
    return 0;
  }
  static int OnClose(nghttp2_session*, int32_t id, uint32_t, void* self) {
    static_cast<Session*>(self)->streams_.erase(id);
    return 0;
  }
  static ssize_t ReadBody(nghttp2_session*, int32_t, uint8_t* to, size_t room, uint32_t* flags,
                          nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<Stream*>(source->ptr);
    const std::string& body = stream.answer.body;
    if (stream.answer.kind == Http2Answer::Body::kEndless) {
      for (size_t i = 0; i < room; ++i) to[i] = static_cast<uint8_t>(body[i % body.size()]);
      return static_cast<ssize_t>(room);
    }
    const size_t size = std::min(room, body.size() - stream.sent);
    std::copy_n(body.data() + stream.sent, size, to);
    stream.sent += size;
    if (stream.sent == body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  ServedConnection& connection_;
  const AnswerFunction& answer_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Stream> streams_;
};

}  // namespace

TestServer::Script ServeHttp2(AnswerFunction answer) {
  return [answer = std::move(answer)](ServedConnection& connection) { Session(connection, answer).Run(); };
}

}  // namespace northwind::testing
