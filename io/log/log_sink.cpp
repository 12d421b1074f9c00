// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/log_sink.hpp"

#include "crosvisor/io/log/output_relay.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <optional>

namespace crosvisor::io {

namespace {

constexpr std::size_t file_chunk_bytes = 64u << 10;
constexpr std::size_t tail_bytes = 4096;

class file_sink final : public log_sink {
public:
  explicit file_sink(rotating_file file) : file_(std::move(file)) {}

  std::size_t chunk_bytes() const noexcept override { return file_chunk_bytes; }
  std::size_t write(std::string_view bytes) override {
    file_.append(bytes);
    return bytes.size();
  }
  void wait(std::function<void()>) override {}
  std::string tail() const override { return file_.tail(tail_bytes); }

private:
  rotating_file file_;
};

class memory_sink final : public log_sink {
public:
  explicit memory_sink(std::size_t most) : most_(most) {}

  std::size_t chunk_bytes() const noexcept override { return file_chunk_bytes; }
  std::size_t write(std::string_view bytes) override {
    kept_.append(bytes.substr(0, most_ - kept_.size()));
    return bytes.size();
  }
  void wait(std::function<void()>) override {}
  std::string tail() const override { return kept_; }

private:
  const std::size_t most_;
  std::string kept_;
};

// Tells when a descriptor takes bytes. It is watched through an epoll of its own: asio would set
// O_NONBLOCK on what it watches, and that flag is shared with whoever gave us the descriptor.
class write_watch {
public:
  static result<std::optional<write_watch>> make(event_loop& loop, int fd) {
    unique_fd epoll{::epoll_create1(EPOLL_CLOEXEC)};
    if (!epoll)
      return last_failure("epoll_create");
    epoll_event event{};
    event.events = EPOLLONESHOT;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      if (errno == EPERM) // A regular file: never makes its writer wait for long.
        return std::optional<write_watch>{};
      return last_failure("epoll_ctl");
    }
    write_watch watch{loop, fd};
    boost::system::error_code why;
    watch.epoll_.assign(epoll.get(), why);
    if (why)
      return failure{why.value(), "epoll: " + why.message()};
    (void)epoll.release();
    return std::optional<write_watch>{std::move(watch)};
  }

  void wait(std::function<void()> ready) {
    epoll_event event{};
    event.events = EPOLLOUT | EPOLLONESHOT;
    ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_MOD, fd_, &event);
    epoll_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                      [ready = std::move(ready)](const boost::system::error_code& why) {
                        if (!why)
                          ready();
                      });
  }

private:
  write_watch(event_loop& loop, int fd) : epoll_(loop.context()), fd_(fd) {}

  boost::asio::posix::stream_descriptor epoll_;
  int fd_;
};

bool broken(ssize_t done) {
  return done < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ENOBUFS;
}

// A regular file, or a device that can't be waited for.
class plain_sink final : public log_sink {
public:
  explicit plain_sink(unique_fd fd) : fd_(std::move(fd)) {}

  std::size_t chunk_bytes() const noexcept override { return file_chunk_bytes; }
  std::size_t write(std::string_view bytes) override {
    for (auto rest = bytes; !rest.empty();) {
      auto done = ::write(fd_.get(), rest.data(), rest.size());
      if (done <= 0 && errno != EINTR)
        break; // A full disk: these are lost, the next are tried again.
      rest.remove_prefix(done > 0 ? static_cast<std::size_t>(done) : 0);
    }
    return bytes.size();
  }
  void wait(std::function<void()>) override {}
  std::string tail() const override { return {}; }

private:
  unique_fd fd_;
};

// A pipe, a socket or a terminal.
class stream_sink final : public log_sink {
public:
  enum class kind { nonblocking, socket, blocking };

  stream_sink(unique_fd fd, kind of, write_watch watch)
      : fd_(std::move(fd)), kind_(of), watch_(std::move(watch)) {}

  // What a pipe takes whole or not at all once it says that it can be written.
  std::size_t chunk_bytes() const noexcept override { return PIPE_BUF; }

  std::size_t write(std::string_view bytes) override {
    auto done = broken_ ? static_cast<ssize_t>(bytes.size()) : try_write(bytes);
    if (broken(done)) {
      broken_ = true;
      return bytes.size();
    }
    return done > 0 ? static_cast<std::size_t>(done) : 0;
  }

  void wait(std::function<void()> ready) override { watch_.wait(std::move(ready)); }
  std::string tail() const override { return {}; }

private:
  ssize_t try_write(std::string_view bytes) {
    if (kind_ == kind::socket)
      return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    pollfd ready{fd_.get(), POLLOUT, 0};
    if (kind_ == kind::blocking && ::poll(&ready, 1, 0) != 1)
      return 0;
    // The loop's thread has SIGPIPE blocked; the error is all that we get.
    return ::write(fd_.get(), bytes.data(), bytes.size());
  }

  unique_fd fd_;
  kind kind_;
  write_watch watch_; // Goes before what it watches.
  bool broken_ = false;
};

// Devices which, opened once more, are the same thing: a terminal's slave side (136 to 143),
// consoles and serial lines (4). A pty's master or /dev/tty would be another one.
bool reopens_to_itself(const struct stat& is) {
  auto number = major(is.st_rdev);
  return S_ISFIFO(is.st_mode)
         || (S_ISCHR(is.st_mode) && (number == 4 || (number >= 136 && number <= 143)));
}

// The same pipe or terminal with flags of our own, so that no write blocks us.
unique_fd reopen_nonblocking(int fd) {
  auto path = "/proc/self/fd/" + std::to_string(fd);
  return unique_fd{::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
}

} // namespace

std::unique_ptr<log_sink> make_file_sink(rotating_file file) {
  return std::make_unique<file_sink>(std::move(file));
}

std::unique_ptr<log_sink> make_memory_sink(std::size_t most) {
  return std::make_unique<memory_sink>(most);
}

result<std::unique_ptr<log_sink>> make_descriptor_sink(event_loop& loop, unique_fd sink) {
  struct stat is;
  if (::fstat(sink.get(), &is) != 0)
    return last_failure("log descriptor");
  auto kind = S_ISSOCK(is.st_mode) ? stream_sink::kind::socket : stream_sink::kind::blocking;
  if (reopens_to_itself(is)) {
    if (auto ours = reopen_nonblocking(sink.get())) {
      sink = std::move(ours);
      kind = stream_sink::kind::nonblocking;
    }
  }
  if (kind == stream_sink::kind::blocking && needs_relay(sink.get(), is)) {
    auto relayed = relay_to(std::move(sink));
    if (!relayed)
      return relayed.why();
    sink = std::move(*relayed);
    kind = stream_sink::kind::nonblocking;
  }
  auto watch = write_watch::make(loop, sink.get());
  if (!watch)
    return watch.why();
  std::unique_ptr<log_sink> made;
  if (*watch)
    made = std::make_unique<stream_sink>(std::move(sink), kind, std::move(**watch));
  else
    made = std::make_unique<plain_sink>(std::move(sink));
  return made;
}

} // namespace crosvisor::io
