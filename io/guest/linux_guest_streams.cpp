// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/guest/linux_guest_streams.hpp"

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/guest/payload_output.hpp"
#include "crosvisor/io/guest/status_channel.hpp"

#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <atomic>
#include <utility>

namespace crosvisor::io {

namespace {

/// What a reader has in its socket is out of the window, so that a reader that stops and goes on
/// stalls nobody for long.
constexpr int socket_bytes = 256 << 10;

/// Both channels of one VM, until both are done.
class stream_end : public std::enable_shared_from_this<stream_end> {
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

class linux_guest_streams final : public guest_streams {
public:
  linux_guest_streams(std::shared_ptr<event_loop> loop, const guest_stream_options& options,
                      stream_callbacks callbacks)
      : loop_(std::move(loop)),
        options_(options),
        output_(std::make_shared<payload_output>(*loop_, options.kept_output_bytes)),
        status_(std::make_shared<status_channel>(*loop_, std::move(callbacks))) {}

  ~linux_guest_streams() override {
    loop_->post([output = output_, status = status_] {
      output->let_go();
      status->let_go();
    });
  }

  void take_output(stream_socket socket) override {
    loop_->post([output = output_, socket = std::move(socket)] { output->take(socket); });
  }

  void take_status(stream_socket socket) override {
    loop_->post([status = status_, socket = std::move(socket)] { status->take(socket); });
  }

  result<unique_fd> open_output() override {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
      return last_failure("payload output");
    unique_fd reader{ends[0]};
    auto writer = std::make_shared<unique_fd>(ends[1]);
    ::shutdown(reader.get(), SHUT_WR);
    ::setsockopt(writer->get(), SOL_SOCKET, SO_SNDBUF, &socket_bytes, sizeof(socket_bytes));
    loop_->post([output = output_, id = next_reader_++, writer] {
      output->add_socket_reader(id, std::move(*writer));
    });
    return reader;
  }

  reader_id add_reader(chunk_handler handler) override {
    auto id = next_reader_++;
    loop_->post([output = output_, id, handler = std::move(handler)]() mutable {
      output->add_chunk_reader(id, std::move(handler));
    });
    return id;
  }

  void grant(reader_id reader, std::uint64_t bytes) override {
    loop_->post([output = output_, reader, bytes] { output->grant(reader, bytes); });
  }

  void remove_reader(reader_id reader) override {
    loop_->post([output = output_, reader] { output->remove_reader(reader); });
  }

  void finish(std::function<void()> done) override {
    auto end = std::make_shared<stream_end>(*loop_, std::move(done));
    loop_->post([output = output_, status = status_, end, bound = options_.finish_bound] {
      end->arm(bound, [output, status] {
        output->cut();
        status->cut();
      });
      status->finish([end] { end->part_done(); });
      output->finish([end] { end->part_done(); });
    });
  }

private:
  const std::shared_ptr<event_loop> loop_;
  const guest_stream_options options_;
  const std::shared_ptr<payload_output> output_;
  const std::shared_ptr<status_channel> status_;
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

std::shared_ptr<guest_stream_factory>
make_linux_guest_streams(std::shared_ptr<event_loop> loop, const guest_stream_options& options) {
  return std::make_shared<linux_stream_factory>(std::move(loop), options);
}

} // namespace crosvisor::io
