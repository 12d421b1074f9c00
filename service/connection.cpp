// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/connection.hpp"

#include "crosvisor/io/log/kept_log_reader.hpp"
#include "crosvisor/io/tickets/descriptor_channel.hpp"
#include "crosvisor/io/tickets/ticket_store.hpp"
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/service/door.hpp"
#include "crosvisor/service/transport/transport.hpp"

#include <caf/actor_system_config.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace crosvisor {

namespace {

// -- in this process ------------------------------------------------------------------------------

caller own_caller() {
  caller own;
  own.uid = ::geteuid();
  own.gid = ::getegid();
  own.pid = ::getpid();
  return own;
}

/// Without a transport every sender is in this process.
class own_process final : public caller_directory {
public:
  std::optional<caller> find(const caf::strong_actor_ptr& sender) const override {
    return sender ? std::optional{own_} : std::nullopt;
  }

private:
  caller own_ = own_caller();
};

class embedded_connection final : public connection {
public:
  explicit embedded_connection(std::unique_ptr<embedded_service> service)
      : service_(std::move(service)) {
    door_options options;
    options.service = service_->handle();
    options.callers = std::make_shared<own_process>();
    options.grants = std::make_shared<shared_grants>(permission_grants{});
    options.tickets = tickets_;
    options.logs = io::kept_log_reader::make(service_->state_dir());
    options.longest_stop = longest_stop(service_->options().timeouts, options.stop_grace);
    door_ = spawn_door(service_->system(), std::move(options));
  }

  caf::actor_system& system() noexcept override { return service_->system(); }
  const door_actor& door() const noexcept override { return door_; }
  const endpoint& where() const noexcept override { return where_; }
  embedded_service* embedded() noexcept override { return service_.get(); }
  bool passes_descriptors() const noexcept override { return true; }

  io::result<void> reconnect(std::chrono::milliseconds) override {
    return io::failure{0, "the service in this process has ended"};
  }

  io::result<ticket_list> give(const io::descriptor_set& files) override {
    ticket_list list;
    if (!files.stored_images().empty())
      return io::failure{0, "stored images are a daemon's, and this service is in this process"};
    for (std::uint32_t i = 0; i < files.size(); ++i) {
      io::unique_fd copy{::fcntl(files.get(i), F_DUPFD_CLOEXEC, 3)};
      if (!copy)
        return io::last_failure("descriptor " + std::to_string(i));
      auto one = tickets_->put(std::move(copy), own_, io::ticket_store::direction::to_service);
      if (!one)
        return one.why();
      list.tickets.push_back(std::move(*one));
    }
    return list;
  }

  io::result<io::unique_fd> take(const ticket& of) override {
    return tickets_->take(of, own_, io::ticket_store::direction::to_client);
  }

private:
  const caller own_ = own_caller();
  const endpoint where_;
  std::shared_ptr<io::ticket_store> tickets_ = io::ticket_store::make({});
  std::unique_ptr<embedded_service> service_;
  door_actor door_; // Let go of before the system ends.
};

// -- in another
// ------------------------------------------------------------------------------------

struct client_config : caf::actor_system_config {
  client_config() {
    register_types(*this);
    // A client waits for answers, mostly.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{1});
    transport::load_middleman(*this);
  }
};

class remote_connection final : public connection {
public:
  explicit remote_connection(const connection_options& options)
      : where_(options.where), files_(options.tls) {}

  caf::actor_system& system() noexcept override { return system_; }
  const door_actor& door() const noexcept override { return door_; }
  const endpoint& where() const noexcept override { return where_; }
  embedded_service* embedded() noexcept override { return nullptr; }
  bool passes_descriptors() const noexcept override {
    return where_.kind == endpoint_kind::unix_socket;
  }

  io::result<void> reconnect(std::chrono::milliseconds bound) override {
    bound_ = bound;
    if (!passes_descriptors())
      if (auto loaded = load_identity(); !loaded)
        return loaded;
    auto door = passes_descriptors()
                  ? transport::connect_unix(system_, where_.path, bound)
                  : transport::connect_tls(system_, where_.host, where_.port, identity_, bound);
    if (!door)
      return door.why();
    door_ = std::move(*door);
    channel_.reset();
    return {};
  }

  io::result<ticket_list> give(const io::descriptor_set& files) override {
    const auto& stored = files.stored_images();
    if (stored.size() == files.size()) {
      ticket_list list;
      for (const auto& [index, name] : stored)
        list.tickets.push_back(std::string{stored_image_prefix} + name);
      return list;
    }
    if (auto opened = open_channel(); !opened)
      return opened.why();
    return channel_->put(files);
  }

  io::result<io::unique_fd> take(const ticket& of) override {
    if (auto opened = open_channel(); !opened)
      return opened.why();
    return channel_->take(of);
  }

private:
  /// Anew each time: a certificate may have been renewed.
  io::result<void> load_identity() {
    auto loaded = transport::load_tls_identity(files_);
    if (!loaded)
      return loaded.why();
    identity_ = std::move(*loaded);
    return {};
  }

  io::result<void> open_channel() {
    if (channel_)
      return {};
    if (!passes_descriptors())
      return io::failure{0, "files can't be handed to a service on another host; " + where_.host
                              + " is reached through tls:; store them there by `crosvisor image "
                                "push`, and name them image:NAME"};
    auto opened = io::descriptor_channel::connect(descriptor_socket_of(where_.path), bound_);
    if (!opened)
      return opened.why();
    channel_.emplace(std::move(*opened));
    return {};
  }

  const endpoint where_;
  const transport::tls_files files_;
  std::shared_ptr<const transport::tls_identity> identity_; // Of tls alone.
  std::chrono::milliseconds bound_{0};
  client_config config_;
  caf::actor_system system_{config_};
  door_actor door_; // Let go of before the system ends.
  std::optional<io::descriptor_channel> channel_;
};

// -- either
// ----------------------------------------------------------------------------------------

io::result<std::unique_ptr<connection>> open_embedded(const connection_options& options) {
  auto service = embedded_service::start(options.embedded);
  if (!service)
    return service.why();
  return std::unique_ptr<connection>{std::make_unique<embedded_connection>(std::move(*service))};
}

} // namespace

io::result<std::unique_ptr<connection>> connection::open(const connection_options& options) {
  if (options.where.kind == endpoint_kind::embedded)
    return open_embedded(options);
  auto remote = std::make_unique<remote_connection>(options);
  if (auto connected = remote->reconnect(options.bound); !connected)
    return connected.why();
  return std::unique_ptr<connection>{std::move(remote)};
}

} // namespace crosvisor
