// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/stream/credited_socket.hpp"

#include "crosvisor/io/stream/socket_streamer.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <mutex>
#include <utility>

namespace crosvisor::io {

namespace {

class streamed_socket final : public credited_socket {
public:
  streamed_socket(std::shared_ptr<event_loop> loop, std::shared_ptr<socket_streamer> streamer,
                  std::chrono::milliseconds finish_bound)
      : loop_(std::move(loop)), streamer_(std::move(streamer)), finish_bound_(finish_bound) {}

  ~streamed_socket() override {
    streamer_->silence();
    close();
  }

  bool grant(std::uint64_t bytes) override { return streamer_->grant(bytes); }

  bool put(std::string bytes, bool last) override { return streamer_->put(std::move(bytes), last); }

  void end() override {
    loop_->post([streamer = streamer_] { streamer->end(); });
  }

  void finish() override {
    loop_->post([streamer = streamer_, bound = finish_bound_] { streamer->finish(bound); });
  }

  void close() override {
    loop_->post([streamer = streamer_] { streamer->end_all(""); });
  }

private:
  const std::shared_ptr<event_loop> loop_;
  const std::shared_ptr<socket_streamer> streamer_;
  const std::chrono::milliseconds finish_bound_;
};

class streamed_sockets final : public credited_sockets {
public:
  explicit streamed_sockets(std::chrono::milliseconds finish_bound) : finish_bound_(finish_bound) {}

  result<std::shared_ptr<credited_socket>> make(unique_fd socket,
                                                credited_socket_callbacks callbacks,
                                                std::shared_ptr<outflow> to) override {
    auto loop = loop_of_all();
    if (!loop)
      return loop.why();
    auto streamer = std::make_shared<socket_streamer>(*loop, std::move(callbacks), std::move(to));
    if (auto done = streamer->assign(std::move(socket)); !done)
      return done.why();
    std::shared_ptr<credited_socket> made =
      std::make_shared<streamed_socket>(std::move(*loop), std::move(streamer), finish_bound_);
    return made;
  }

private:
  result<std::shared_ptr<event_loop>> loop_of_all() {
    std::lock_guard lock{mutex_};
    try {
      if (!loop_)
        loop_ = make_shared_loop("crosvisor-strm");
    } catch (const std::exception& error) {
      return failure{EAGAIN, std::string{"event loop: "} + error.what()};
    }
    return loop_;
  }

  const std::chrono::milliseconds finish_bound_;
  std::mutex mutex_;
  std::shared_ptr<event_loop> loop_;
};

} // namespace

result<local_credited_socket> credited_sockets::make_local(credited_socket_callbacks callbacks) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return last_failure("socketpair");
  unique_fd own{ends[0]}, theirs{ends[1]};
  auto made = make(std::move(own), std::move(callbacks), nullptr);
  if (!made)
    return made.why();
  return local_credited_socket{std::move(*made), std::move(theirs)};
}

std::shared_ptr<credited_sockets> make_credited_sockets(std::chrono::milliseconds finish_bound) {
  return std::make_shared<streamed_sockets>(finish_bound);
}

} // namespace crosvisor::io
