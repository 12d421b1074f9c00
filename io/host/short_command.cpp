// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/short_command.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>

#include <array>
#include <csignal>
#include <future>
#include <string_view>

namespace crosvisor::io {

using boost::system::error_code;

namespace {

/// How long a killed process may take to be gone; one that hangs in the kernel is given up.
constexpr std::chrono::seconds reap_grace{1};

/// How much of a program's own words is shown.
constexpr std::size_t shown_bytes = 200;

struct pipe_ends {
  unique_fd read;
  unique_fd write;
};

result<pipe_ends> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0)
    return last_failure("make a pipe");
  return pipe_ends{unique_fd{fds[0]}, unique_fd{fds[1]}};
}

/// One run. Everything but launch() is on the loop's thread.
class command_run final : public running_command, public std::enable_shared_from_this<command_run> {
public:
  using completion = std::function<void(result<command_output>)>;

  command_run(event_loop& loop, short_command command, completion done)
      : loop_(loop),
        command_(std::move(command)),
        done_(std::move(done)),
        timer_(loop.context()),
        out_(loop.context()),
        err_(loop.context()) {}

  void launch() {
    auto out = make_pipe();
    auto err = make_pipe();
    if (!out || !err)
      return give_up(out ? err.why() : out.why());
    child_command what{
      command_.program, command_.arguments, {}, out->write.get(), err->write.get()};
    what.argv.insert(what.argv.begin(), command_.program);
    auto child = child_process::start(
      loop_, what, [self = shared_from_this()](auto status) { self->end(status); });
    if (!child)
      return give_up(child.why());
    loop_.post([self = shared_from_this(), child = std::move(*child), out = std::move(out->read),
                err = std::move(err->read)]() mutable {
      self->begin(std::move(child), std::move(out), std::move(err));
    });
  }

  void cancel() override {
    loop_.post([self = shared_from_this()] {
      self->cancelled_ = true;
      self->kill();
    });
  }

private:
  struct output {
    explicit output(boost::asio::io_context& context) : stream(context) {}
    boost::asio::posix::stream_descriptor stream;
    std::array<char, 4096> chunk{};
    std::string text;
    bool open = false;
  };

  void give_up(failure why) {
    loop_.post([self = shared_from_this(), why = std::move(why)] { self->finish(why); });
  }

  void begin(std::shared_ptr<child_process> child, unique_fd out, unique_fd err) {
    child_ = std::move(child);
    take_over(out_, std::move(out));
    take_over(err_, std::move(err));
    timer_.expires_after(command_.timeout);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error)
        self->expire();
    });
    if (cancelled_)
      kill();
    finish_if_over();
  }

  void take_over(output& to, unique_fd fd) {
    error_code error;
    to.stream.assign(fd.get(), error);
    if (error)
      return;
    fd.release();
    to.open = true;
    read(to);
  }

  void read(output& from) {
    auto done = [self = shared_from_this(), &from](error_code error, std::size_t n) {
      if (error || !self->done_) {
        from.open = false;
        return self->finish_if_over();
      }
      from.text.append(from.chunk.data(), n);
      if (from.text.size() > self->command_.max_output_bytes) {
        self->flooded_ = true;
        self->kill();
        from.open = false;
        return self->finish_if_over();
      }
      self->read(from);
    };
    from.stream.async_read_some(boost::asio::buffer(from.chunk), std::move(done));
  }

  void expire() {
    if (!done_)
      return;
    timed_out_ = status_.kind == exit_kind::none;
    if (!timed_out_)
      return finish(outcome()); // Somebody else holds its pipes.
    kill();
    timer_.expires_after(reap_grace);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error && self->done_)
        self->end({exit_kind::vanished, 0});
    });
  }

  void kill() {
    if (child_ && status_.kind == exit_kind::none)
      child_->signal(SIGKILL);
  }

  void end(exit_status status) {
    status_ = status;
    finish_if_over();
  }

  /// Over when it has ended and has no more to say, or nobody wants to hear it.
  void finish_if_over() {
    auto silent = !out_.open && !err_.open;
    if (child_ && status_.kind != exit_kind::none
        && (silent || timed_out_ || flooded_ || cancelled_))
      finish(outcome());
  }

  command_output outcome() {
    return {status_, timed_out_, flooded_, std::move(out_.text), std::move(err_.text)};
  }

  void finish(result<command_output> what) {
    if (!done_)
      return;
    auto done = std::exchange(done_, {});
    timer_.cancel();
    error_code ignored;
    out_.stream.close(ignored);
    err_.stream.close(ignored);
    child_.reset();
    done(std::move(what));
  }

  event_loop& loop_;
  short_command command_;
  completion done_;
  boost::asio::steady_timer timer_;
  output out_;
  output err_;
  std::shared_ptr<child_process> child_;
  exit_status status_;
  bool timed_out_ = false;
  bool flooded_ = false;
  bool cancelled_ = false;
};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == line.npos;
}

} // namespace

std::shared_ptr<running_command>
run_short_command(event_loop& loop, worker_pool& workers, short_command command,
                  std::function<void(result<command_output>)> done) {
  auto run = std::make_shared<command_run>(loop, std::move(command), std::move(done));
  workers.post([run] { run->launch(); });
  return run;
}

result<command_output> wait_for_command(event_loop& loop, worker_pool& workers,
                                        short_command command) {
  std::promise<result<command_output>> answer;
  run_short_command(loop, workers, std::move(command),
                    [&answer](auto what) { answer.set_value(std::move(what)); });
  return answer.get_future().get();
}

std::string first_line(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    auto end = std::min(text.find('\n', at), text.size());
    auto line = std::string_view{text}.substr(at, end - at);
    if (!is_blank(line))
      return printable(line, shown_bytes);
    at = end + 1;
  }
  return {};
}

std::string last_line(const std::string& text) {
  auto end = text.find_last_not_of(" \t\r\n");
  if (end == text.npos)
    return {};
  auto start = text.rfind('\n', end);
  start = start == text.npos ? 0 : start + 1;
  return printable(std::string_view{text}.substr(start, end + 1 - start), shown_bytes);
}

} // namespace crosvisor::io
