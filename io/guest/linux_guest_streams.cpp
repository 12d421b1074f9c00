// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/linux_guest_streams.hpp"

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/guest/output_sockets.hpp"
#include "crosvisor/io/guest/payload_output.hpp"
#include "crosvisor/io/guest/status_channel.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <utility>

namespace crosvisor::io {

namespace {

/// Both channels of one VM, until both are done.
class stream_end {
public:
  stream_end(event_loop& loop, std::function<void()> done)
      : deadline_(loop.context()), done_(std::move(done)) {}

  template <class Cut>
  void arm(std::chrono::milliseconds bound, Cut cut) {
    deadline_.expires_after(bound);
    deadline_.async_wait([cut](const boost::system::error_code& why) {
      if (!why)
        cut();
    });
  }

  void part_done() {
    if (--parts_left_ > 0)
      return;
    deadline_.cancel();
    done_();
  }

private:
  boost::asio::steady_timer deadline_;
  std::function<void()> done_;
  int parts_left_ = 2;
};

/// Made when they are first used: most VMs of a large host say nothing. On the loop's thread.
class stream_parts {
public:
  stream_parts(event_loop& loop, const guest_stream_options& options, stream_callbacks callbacks)
      : loop_(loop), options_(options), callbacks_(std::move(callbacks)) {}

  payload_output& output() {
    if (!output_)
      output_ = std::make_shared<payload_output>(loop_, options_.kept_output_bytes,
                                                 options_.reread_output_bytes);
    return *output_;
  }

  status_channel& status() {
    if (!status_)
      status_ = std::make_shared<status_channel>(loop_, std::move(callbacks_));
    return *status_;
  }

  void let_go() {
    if (output_)
      output_->let_go();
    if (status_)
      status_->let_go();
  }

private:
  event_loop& loop_;
  const guest_stream_options options_;
  stream_callbacks callbacks_;
  std::shared_ptr<payload_output> output_;
  std::shared_ptr<status_channel> status_;
};

class linux_guest_streams final : public served_guest_streams {
public:
  linux_guest_streams(std::shared_ptr<event_loop> loop, const guest_stream_options& options,
                      stream_callbacks callbacks)
      : loop_(std::move(loop)),
        finish_bound_(options.finish_bound),
        parts_(std::make_shared<stream_parts>(*loop_, options, std::move(callbacks))) {}

  ~linux_guest_streams() override {
    loop_->post([parts = parts_] { parts->let_go(); });
  }

  void take_output(stream_socket socket) override {
    loop_->post([parts = parts_, socket = std::move(socket)] { parts->output().take(socket); });
  }

  void take_status(stream_socket socket) override {
    loop_->post([parts = parts_, socket = std::move(socket)] { parts->status().take(socket); });
  }

  result<unique_fd> open_output() override {
    if (auto why = injected(failpoint::open_output))
      return *why;
    auto made = make_output_sockets();
    if (!made)
      return made.why();
    write_output_to(std::move(made->writer));
    return std::move(made->reader);
  }

  void write_output_to(unique_fd socket) override {
    loop_->post([parts = parts_, id = next_reader_++,
                 writer = std::make_shared<unique_fd>(std::move(socket))] {
      parts->output().add_socket_reader(id, std::move(*writer));
    });
  }

  void when_unread(std::function<void()> done) override {
    loop_->post([parts = parts_, done = std::move(done)]() mutable {
      parts->output().when_unread(std::move(done));
    });
  }

  reader_id add_reader(chunk_handler handler) override {
    auto id = next_reader_++;
    loop_->post([parts = parts_, id, handler = std::move(handler)]() mutable {
      parts->output().add_chunk_reader(id, std::move(handler));
    });
    return id;
  }

  void grant(reader_id reader, std::uint64_t bytes) override {
    loop_->post([parts = parts_, reader, bytes] { parts->output().grant(reader, bytes); });
  }

  void remove_reader(reader_id reader) override {
    loop_->post([parts = parts_, reader] { parts->output().remove_reader(reader); });
  }

  void finish(std::function<void()> done) override {
    auto end = std::make_shared<stream_end>(*loop_, std::move(done));
    loop_->post([parts = parts_, end, bound = finish_bound_] {
      end->arm(bound, [parts] {
        parts->output().cut();
        parts->status().cut();
      });
      parts->status().finish([end] { end->part_done(); });
      parts->output().finish([end] { end->part_done(); });
    });
  }

private:
  const std::shared_ptr<event_loop> loop_;
  const std::chrono::milliseconds finish_bound_;
  const std::shared_ptr<stream_parts> parts_;
  std::atomic<reader_id> next_reader_{1};
};

class linux_stream_factory final : public guest_stream_factory {
public:
  linux_stream_factory(std::shared_ptr<event_loop> loop, const guest_stream_options& options)
      : loop_(std::move(loop)), options_(options) {}

  std::shared_ptr<guest_streams> make_streams(stream_callbacks callbacks) override {
    return std::make_shared<linux_guest_streams>(loop_, options_, std::move(callbacks));
  }

private:
  const std::shared_ptr<event_loop> loop_;
  const guest_stream_options options_;
};

} // namespace

std::shared_ptr<served_guest_streams>
make_served_guest_streams(std::shared_ptr<event_loop> loop, stream_callbacks callbacks,
                          const guest_stream_options& options) {
  return std::make_shared<linux_guest_streams>(std::move(loop), options, std::move(callbacks));
}

std::shared_ptr<guest_stream_factory>
make_linux_guest_streams(std::shared_ptr<event_loop> loop, const guest_stream_options& options) {
  return std::make_shared<linux_stream_factory>(std::move(loop), options);
}

} // namespace crosvisor::io
