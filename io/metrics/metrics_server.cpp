// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/metrics/metrics_server.hpp"

#include "crosvisor/io/event_loop.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/metrics/metrics_text.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <future>
#include <set>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using error_code = boost::system::error_code;
using socket_type = asio::generic::stream_protocol::socket;

/// Until accept(2) is tried again where the host has no descriptors left.
constexpr auto accept_again = std::chrono::milliseconds{200};

/// `127.0.0.1:9100`, `[::1]:9100`, `localhost`: this host as it names itself.
bool is_loopback(std::string_view host) {
  auto name = host;
  if (host.starts_with('['))
    name = host.substr(0, host.find(']') + 1);
  else
    name = host.substr(0, host.find(':'));
  return name == "127.0.0.1" || name == "[::1]" || name == "localhost";
}

} // namespace

/// All of it on the loop's thread, but for what says otherwise.
class metrics_server::acceptor : public std::enable_shared_from_this<acceptor> {
public:
  /// @param loop outlives this.
  acceptor(metrics_server_options options, const std::shared_ptr<event_loop>& loop)
      : options_(std::move(options)),
        loop_(*loop),
        weak_loop_(loop),
        listening_(loop_.context(), options_.listening.release()),
        retry_(loop_.context()) {}

  /// Any thread.
  void start() {
    loop_.post([self = shared_from_this()] { self->wait(); });
  }

  /// Any other thread than the loop's. Nothing of it runs afterwards.
  void stop();

  void ended(const std::shared_ptr<session>& one);

  const metrics_server_options& options() const noexcept { return options_; }
  event_loop& loop() const noexcept { return loop_; }
  const std::weak_ptr<event_loop>& weak_loop() const noexcept { return weak_loop_; }

private:
  void wait();
  void accept();

  metrics_server_options options_;
  event_loop& loop_;
  const std::weak_ptr<event_loop> weak_loop_;
  asio::posix::stream_descriptor listening_;
  asio::steady_timer retry_;
  std::set<std::shared_ptr<session>> sessions_;
  bool waiting_ = false;
  bool closed_ = false;
};

/// One connection, with its one request.
class metrics_server::session : public std::enable_shared_from_this<session> {
public:
  /// @param of outlives this.
  session(acceptor& of, socket_type socket)
      : of_(of), socket_(std::move(socket)), deadline_(of.loop().context()) {
    parser_.header_limit(max_metrics_request_bytes);
    parser_.body_limit(0);
  }

  void read() {
    arm(of_.options().request_bound);
    http::async_read(socket_, buffer_, parser_,
                     [self = shared_from_this()](const error_code& why, std::size_t) {
                       if (!self->closed_)
                         self->take(why);
                     });
  }

  void close() {
    if (std::exchange(closed_, true))
      return;
    error_code ignored;
    deadline_.cancel();
    socket_.shutdown(socket_type::shutdown_both, ignored);
    socket_.close(ignored);
    of_.ended(shared_from_this());
  }

private:
  void arm(std::chrono::milliseconds bound) {
    deadline_.expires_after(bound);
    deadline_.async_wait([self = shared_from_this()](const error_code& why) {
      if (!why)
        self->close();
    });
  }

  void take(const error_code& why);
  void fetch();
  void answer(http::status status, const char* type, std::string text);

  acceptor& of_;
  socket_type socket_;
  asio::steady_timer deadline_;
  boost::beast::flat_buffer buffer_{max_metrics_request_bytes};
  http::request_parser<http::empty_body> parser_;
  http::response<http::string_body> answer_;
  bool closed_ = false;
};

// -- connections --------------------------------------------------------------

void metrics_server::acceptor::wait() {
  if (closed_ || waiting_ || sessions_.size() >= options_.connections)
    return;
  waiting_ = true;
  listening_.async_wait(listening_.wait_read, [self = shared_from_this()](const error_code& why) {
    self->waiting_ = false;
    if (!why && !self->closed_)
      self->accept();
  });
}

void metrics_server::acceptor::accept() {
  unique_fd got{
    ::accept4(listening_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (!got && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
    // It stays readable, so that to wait for that would be a busy loop.
    retry_.expires_after(accept_again);
    retry_.async_wait([self = shared_from_this()](const error_code& why) {
      if (!why)
        self->wait();
    });
    return;
  }
  if (got) {
    sockaddr_storage local{};
    socklen_t size = sizeof(local);
    ::getsockname(got.get(), reinterpret_cast<sockaddr*>(&local), &size);
    asio::generic::stream_protocol protocol{local.ss_family, 0};
    auto made =
      std::make_shared<session>(*this, socket_type{loop_.context(), protocol, got.release()});
    sessions_.insert(made);
    made->read();
  }
  wait();
}

void metrics_server::acceptor::ended(const std::shared_ptr<session>& one) {
  sessions_.erase(one);
  wait();
}

void metrics_server::acceptor::stop() {
  std::promise<void> stopped;
  loop_.post([this, &stopped] {
    closed_ = true;
    error_code ignored;
    listening_.close(ignored);
    retry_.cancel();
    for (const auto& one : std::exchange(sessions_, {}))
      one->close();
    stopped.set_value();
  });
  stopped.get_future().wait();
}

// -- a request ----------------------------------------------------------------

void metrics_server::session::take(const error_code& why) {
  if (why == http::error::header_limit || why == http::error::buffer_overflow)
    return answer(http::status::request_header_fields_too_large, "text/plain",
                  "a request has at most 8192 bytes\n");
  if (why) // It may be anything.
    return close();
  const auto& request = parser_.get();
  if (request.method() != http::verb::get)
    return answer(http::status::method_not_allowed, "text/plain", "only GET is served\n");
  auto host = request[http::field::host];
  if (of_.options().checks_host && !is_loopback({host.data(), host.size()}))
    return answer(http::status::misdirected_request, "text/plain",
                  "this serves 127.0.0.1, [::1] and localhost\n");
  auto target = request.target();
  if (target.substr(0, target.find('?')) != "/metrics")
    return answer(http::status::not_found, "text/plain", "there is /metrics\n");
  fetch();
}

void metrics_server::session::fetch() {
  arm(of_.options().answer_bound);
  of_.options().source(
    [loop = of_.weak_loop(), weak = weak_from_this()](result<std::vector<metric_family>> all) {
      auto there = loop.lock();
      if (!there)
        return;
      there->post([weak, all = std::move(all)] {
        auto self = weak.lock();
        if (!self || self->closed_)
          return;
        if (all)
          self->answer(http::status::ok, metrics_text_type, metrics_text(*all));
        else
          self->answer(http::status::service_unavailable, "text/plain", all.why().what + '\n');
      });
    });
}

void metrics_server::session::answer(http::status status, const char* type, std::string text) {
  arm(of_.options().answer_bound);
  answer_.result(status);
  answer_.set(http::field::content_type, type);
  if (status == http::status::method_not_allowed)
    answer_.set(http::field::allow, "GET");
  answer_.keep_alive(false);
  answer_.body() = std::move(text);
  answer_.prepare_payload();
  http::async_write(socket_, answer_,
                    [self = shared_from_this()](const error_code&, std::size_t) { self->close(); });
}

// -- the server ---------------------------------------------------------------

result<std::unique_ptr<metrics_server>> metrics_server::open(metrics_server_options options) {
  try {
    std::unique_ptr<metrics_server> made{new metrics_server};
    made->loop_ = std::make_shared<event_loop>("crosvisor-scrape");
    made->acceptor_ = std::make_shared<acceptor>(std::move(options), made->loop_);
    made->acceptor_->start();
    return made;
  } catch (const std::exception& error) { // No descriptor or no thread for the loop.
    return failure{EAGAIN, std::string{"metrics: "} + error.what()};
  }
}

metrics_server::~metrics_server() {
  if (acceptor_)
    acceptor_->stop();
}

} // namespace crosvisor::io
