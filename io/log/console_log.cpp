// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/console_log.hpp"

#include "crosvisor/io/log/log_sink.hpp"
#include "crosvisor/io/log/rotating_file.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <vector>

namespace crosvisor::io {

namespace {

constexpr std::chrono::seconds finish_bound{1};

// What one pipe may take of the loop before the others have their turn.
constexpr std::size_t turn_bytes = 64u << 10;

// One for all logs of a loop: nothing stays in it from one turn to the next.
char* turn_buffer() {
  thread_local std::vector<char> buffer(turn_bytes);
  return buffer.data();
}

// Moves bytes from a pipe to a sink, on the loop's thread.
class log_pump : public std::enable_shared_from_this<log_pump> {
public:
  log_pump(event_loop& loop, std::unique_ptr<log_sink> sink)
      : pipe_(loop.context()), deadline_(loop.context()), sink_(std::move(sink)) {}

  result<void> attach(unique_fd pipe) {
    boost::system::error_code why;
    pipe_.assign(pipe.get(), why);
    if (why)
      return failure{why.value(), "log pipe: " + why.message()};
    (void)pipe.release();
    return {};
  }

  void start() { wait_for_pipe(); }

  void finish(std::function<void(std::string)> done) {
    if (!sink_)
      return done({});
    done_ = std::move(done);
    deadline_.expires_after(finish_bound);
    deadline_.async_wait([self = shared_from_this()](const boost::system::error_code& why) {
      if (!why)
        self->close();
    });
    if (at_end_)
      return close();
    if (rest_.empty())
      pump(); // What is there now; a wait for more may never end.
  }

  // Also gives up what is still to be read.
  void close() {
    if (!sink_)
      return;
    auto tail = sink_->tail();
    boost::system::error_code ignored;
    pipe_.close(ignored);
    deadline_.cancel();
    sink_ = nullptr;
    rest_ = {};
    if (auto done = std::exchange(done_, nullptr))
      done(std::move(tail));
  }

private:
  void wait_for_pipe() {
    if (waiting_ || !sink_)
      return;
    waiting_ = true;
    pipe_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& why) {
                       self->waiting_ = false;
                       if (!why && self->rest_.empty())
                         self->pump();
                     });
  }

  void wait_for_sink() {
    sink_->wait([self = weak_from_this()] {
      if (auto pump = self.lock(); pump && pump->sink_)
        pump->pump_rest();
    });
  }

  void pump_rest() {
    rest_.erase(0, sink_->write(rest_));
    if (!rest_.empty())
      return wait_for_sink();
    rest_ = {}; // Gives the memory back.
    pump();
  }

  void pump() {
    if (!sink_)
      return;
    auto chunk = std::min(sink_->chunk_bytes(), turn_bytes);
    auto* buffer = turn_buffer();
    for (std::size_t moved = 0; moved < turn_bytes;) {
      auto got = ::read(pipe_.native_handle(), buffer, chunk);
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        return no_more(got == 0 || errno != EAGAIN);
      std::string_view bytes{buffer, static_cast<std::size_t>(got)};
      moved += bytes.size();
      bytes.remove_prefix(sink_->write(bytes));
      if (!bytes.empty()) {
        rest_ = bytes;
        return wait_for_sink();
      }
    }
    wait_for_pipe();
  }

  void no_more(bool at_end) {
    at_end_ = at_end;
    if (done_)
      return close();
    if (!at_end)
      wait_for_pipe();
  }

  boost::asio::posix::stream_descriptor pipe_;
  boost::asio::steady_timer deadline_;
  std::unique_ptr<log_sink> sink_; // None once closed.
  std::string rest_;               // Read, and not taken by the sink yet.
  std::function<void(std::string)> done_;
  bool waiting_ = false;
  bool at_end_ = false;
};

class piped_log final : public console_log {
public:
  piped_log(event_loop& loop, unique_fd writer, std::shared_ptr<log_pump> pump)
      : loop_(loop), writer_(std::move(writer)), pump_(std::move(pump)) {}
  ~piped_log() override {
    if (pump_ && started_)
      loop_.post([pump = std::move(pump_)] { pump->close(); });
  }

  int writer() const noexcept override { return writer_.get(); }

  void close_writer() override {
    writer_.reset();
    if (!std::exchange(started_, true))
      loop_.post([pump = pump_] { pump->start(); });
  }

  void finish(std::function<void(std::string)> done) override {
    started_ = true;
    loop_.post([pump = std::exchange(pump_, nullptr), done = std::move(done)]() mutable {
      pump->finish(std::move(done));
    });
  }

private:
  event_loop& loop_;
  unique_fd writer_;
  std::shared_ptr<log_pump> pump_;
  bool started_ = false; // Then it is the loop's thread alone that uses the pump.
};

result<std::shared_ptr<console_log>> make_log(event_loop& loop, std::unique_ptr<log_sink> sink) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return last_failure("log pipe");
  unique_fd reader{ends[0]}, writer{ends[1]};
  // Our end alone: the VMM's must make a guest that floods wait.
  if (::fcntl(reader.get(), F_SETFL, O_NONBLOCK) != 0)
    return last_failure("log pipe");
  auto pump = std::make_shared<log_pump>(loop, std::move(sink));
  if (auto attached = pump->attach(std::move(reader)); !attached)
    return attached.why();
  std::shared_ptr<console_log> log =
    std::make_shared<piped_log>(loop, std::move(writer), std::move(pump));
  return log;
}

} // namespace

result<std::shared_ptr<console_log>> log_to_files(event_loop& loop,
                                                  std::shared_ptr<const unique_fd> dir,
                                                  const std::string& name, log_bounds bounds) {
  return make_log(loop, make_file_sink(rotating_file{std::move(dir), name, bounds}));
}

result<std::shared_ptr<console_log>> log_to_memory(event_loop& loop, std::size_t most) {
  return make_log(loop, make_memory_sink(most));
}

result<std::shared_ptr<console_log>> log_to_descriptor(event_loop& loop, unique_fd sink) {
  auto made = make_descriptor_sink(loop, std::move(sink));
  if (!made)
    return made.why();
  return make_log(loop, std::move(*made));
}

} // namespace crosvisor::io
