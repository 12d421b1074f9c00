// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/running_daemon.hpp"

#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/file_event_journal.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/log/kept_log_reader.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/service_signals.hpp"
#include "crosvisor/io/systemd/inherited_sockets.hpp"
#include "crosvisor/io/systemd/notify.hpp"
#include "crosvisor/io/tickets/background_closer.hpp"
#include "crosvisor/io/tickets/ticket_store.hpp"
#include "crosvisor/messages/error.hpp"
#include "crosvisor/service/daemon/autostart.hpp"
#include "crosvisor/service/daemon/daemon_options.hpp"

#include <boost/asio/post.hpp>

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <sys/types.h>
#include <unistd.h>

#include <csignal>

namespace crosvisor {

namespace {

/// No VM's end is waited for.
constexpr caf::timespan leave_bound = std::chrono::seconds{20};

/// What senders in this process are.
caller this_process() {
  caller self;
  self.kind = caller_kind::process;
  self.uid = ::geteuid();
  self.gid = ::getegid();
  self.pid = ::getpid();
  return self;
}

} // namespace

running_daemon::running_daemon(daemon_config config, daemon_places places, bool user)
    : started_(config),
      config_(std::move(config)),
      places_(std::move(places)),
      user_(user),
      grants_(std::make_shared<shared_grants>(config_.grants)) {}

running_daemon::~running_daemon() {
  close_entrance();
  if (!service_)
    return;
  transport::close_all(service_->system());
  for (const auto& one : {caf::actor_cast<caf::strong_actor_ptr>(ending_),
                          caf::actor_cast<caf::strong_actor_ptr>(pulse_),
                          caf::actor_cast<caf::strong_actor_ptr>(door_)})
    if (one)
      caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
  ending_ = nullptr;
  pulse_ = nullptr;
  door_ = nullptr;
  peers_.reset();
  service_.reset();
}

// -- the start ----------------------------------------------------------------

io::result<void> running_daemon::start() {
  using step = io::result<void> (running_daemon::*)();
  for (auto next : {step{&running_daemon::open_sockets}, step{&running_daemon::hear_signals},
                    step{&running_daemon::open_journal}, step{&running_daemon::open_images},
                    step{&running_daemon::start_service}, step{&running_daemon::adopt},
                    step{&running_daemon::open_door}, step{&running_daemon::listen}})
    if (auto done = (this->*next)(); !done) {
      give_back();
      return done;
    }
  spawn_watchers();
  spawn_autostart(service_->system(), std::exchange(autostarted_, {}), door_timeouts{}.start);
  log::info("daemon serves socket \"{}\"", sockets_->path);
  io::notify("READY=1");
  return {};
}

/// One that can't serve ends no VM: the next one may be able to.
void running_daemon::give_back() {
  if (!service_)
    return;
  leaving_->store(true);
  caf::scoped_actor self{service_->system()};
  self->request(service_->handle(), leave_bound, leave_atom::value)
    .receive([](caf::ok_atom) {},
             [](const caf::error& why) {
               log::error("daemon does not leave its VMs to their keepers: {}", sentence_of(why));
             });
}

io::result<void> running_daemon::open_sockets() {
  auto inherited = io::take_inherited_sockets();
  if (!inherited)
    return inherited.why();
  if (auto made = make_runtime_dir(places_.where.runtime, user_); !made)
    return made;
  if (config_.tls) {
    auto identity = transport::load_tls_identity(config_.tls->files);
    if (!identity)
      return identity.why();
    identity_->set(*identity);
  }
  auto opened = open_daemon_sockets(config_, std::move(*inherited));
  if (!opened)
    return opened.why();
  sockets_.emplace(std::move(*opened));
  return {};
}

io::result<void> running_daemon::hear_signals() {
  auto signals = io::open_service_signals();
  if (!signals)
    return signals.why();
  signals_.assign(signals->release());
  wait_for_signal();
  return {};
}

/// It is held by one daemon, before which no other may touch the VMs.
io::result<void> running_daemon::open_journal() {
  if (auto made = make_folders(places_.where.state); !made)
    return made;
  auto opened = io::open_file_event_journal(places_.where.state,
                                            {.kept_events = config_.bounds.door.events_kept});
  if (!opened)
    return opened.why();
  journal_ = std::move(*opened);
  return {};
}

/// The journal's lock is this one's, too.
io::result<void> running_daemon::open_images() {
  auto opened = io::image_store::open(places_.where.state, config_.bounds.images);
  if (!opened)
    return opened.why();
  images_ = std::move(*opened);
  return {};
}

io::result<void> running_daemon::start_service() {
  auto options = service_options_of(config_, places_);
  options.log_use = log_use_;
  options.histories = [this](const std::vector<io::kept_vm>& vms) {
    return histories_of(vms, journal_->load());
  };
  auto started = embedded_service::start(options);
  if (!started)
    return started.why();
  service_ = std::move(*started);
  peers_ = transport::peers::make(service_->system(), this_process());
  return {};
}

io::result<void> running_daemon::adopt() {
  auto adopted = service_->adopted();
  if (!adopted)
    return adopted.why();
  adopted_ = std::move(*adopted);
  if (!adopted_.empty())
    log::info("daemon has taken {} VMs back from their keepers", adopted_.size());
  autostarted_ =
    create_autostart_vms(service_->system(), service_->handle(), config_.autostart, adopted_);
  adopted_.insert(adopted_.end(), autostarted_.begin(), autostarted_.end());
  if (auto why = io::injected(io::failpoint::serve))
    return *why;
  return {};
}

limit_source
running_daemon::limits_elsewhere(const std::shared_ptr<io::ticket_store>& tickets) const {
  return [peers = std::weak_ptr{peers_}, tickets, fds = descriptor_use_, logs = log_use_,
          images = images_, bounds = config_.bounds](const caller* of) {
    std::vector<limit_info> all;
    if (auto known = peers.lock())
      all = known->limits(of);
    auto waiting = tickets->limits(of);
    all.insert(all.end(), waiting.begin(), waiting.end());
    auto stored = images->limits(of);
    all.insert(all.end(), stored.begin(), stored.end());
    if (of != nullptr)
      return all;
    all.push_back({"descriptor_connections", "limits.connections", fds->connections,
                   bounds.peers.connections, fds->refused});
    all.push_back({"logs", "logs.vms", logs->kept, bounds.logs.vms, logs->removed});
    return all;
  };
}

door_options
running_daemon::options_of_door(const std::shared_ptr<io::ticket_store>& tickets) const {
  door_options options;
  options.service = service_->handle();
  options.callers = peers_;
  options.grants = grants_;
  options.tickets = tickets;
  options.logs = io::kept_log_reader::make(service_->state_dir());
  options.images = images_;
  options.stop_grace = config_.stop_grace;
  options.reference_grace = config_.reference_grace;
  options.longest_stop = longest_stop(service_->options().timeouts, config_.stop_grace);
  options.bounds = config_.bounds.door;
  options.restarts = config_.bounds.restarts;
  options.kept_logs = config_.bounds.logs.vms;
  options.others = limits_elsewhere(tickets);
  options.journal = journal_;
  options.adopted = adopted_;
  options.is_left_alone = [state = places_.where.state](vm_cid cid) {
    auto record = io::keeper_record::open(state, cid);
    return record && record->is_held();
  };
  options.leaving = leaving_;
  options.close = [closer = std::make_shared<io::background_closer>()](const caller& whose,
                                                                       io::descriptor_set files) {
    closer->close(whose.uid, files.release());
  };
  return options;
}

io::result<void> running_daemon::open_door() {
  auto tickets = io::ticket_store::make(config_.bounds.tickets);
  door_ = spawn_door(service_->system(), options_of_door(tickets));
  adopted_.clear();
  io::descriptor_door_options options;
  options.tickets = tickets;
  options.admits = [grants = grants_](const caller& who) { return grants->get()->knows(who); };
  options.connections_per_uid = config_.bounds.peers.connections_per_principal;
  options.connections = config_.bounds.peers.connections;
  options.use = descriptor_use_;
  auto opened = io::descriptor_door::open(std::move(sockets_->descriptors), std::move(options));
  if (!opened)
    return opened.why();
  descriptor_door_ = std::move(*opened);
  return {};
}

io::result<void> running_daemon::listen() {
  transport::listen_options options{config_.bounds.peers, [grants = grants_](const caller& who) {
                                      return grants->get()->knows(who);
                                    }};
  auto& system = service_->system();
  auto served =
    transport::listen_unix(system, door_, std::move(sockets_->clients), peers_, options);
  if (!served || !sockets_->tls)
    return served;
  auto identity = [holder = identity_] { return holder->get(); };
  return transport::listen_tls(system, door_, std::move(sockets_->tls), peers_, identity, options);
}

void running_daemon::spawn_watchers() {
  auto& system = service_->system();
  std::vector<caf::strong_actor_ptr> vital{
    caf::actor_cast<caf::strong_actor_ptr>(service_->handle()),
    caf::actor_cast<caf::strong_actor_ptr>(door_)};
  auto ended = [this](daemon_end how, std::string why) {
    boost::asio::post(loop_, [this, how, why = std::move(why)] { end(how, why); });
  };
  ending_ = spawn_ending(system, {service_->handle(), std::move(vital), std::move(ended)});
  if (!io::is_notified())
    return;
  auto notify = [this](std::string state) {
    boost::asio::post(loop_, [state = std::move(state)] { io::notify(state); });
  };
  pulse_ = spawn_pulse(system, {service_->handle(), std::move(notify), io::watchdog_interval()});
}

// -- signals ------------------------------------------------------------------

daemon_end running_daemon::run() {
  loop_.run();
  return end_.value_or(daemon_end::broken);
}

void running_daemon::wait_for_signal() {
  signals_.async_wait(signals_.wait_read, [this](const boost::system::error_code& error) {
    if (error)
      return;
    while (auto signal = io::read_signal(signals_.native_handle())) {
      if (*signal == SIGHUP)
        reload();
      else if (*signal == SIGUSR2)
        leave();
      else
        stop();
    }
    wait_for_signal();
  });
}

/// Nobody new comes in.
void running_daemon::close_entrance() {
  if (sockets_)
    sockets_->remove_files();
  descriptor_door_.reset();
}

void running_daemon::stop() {
  if (!std::exchange(stopping_, true)) {
    log::info("daemon stops");
    auto bound = std::chrono::microseconds{config_.shutdown_bound + std::chrono::seconds{30}};
    io::notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(bound.count()));
    close_entrance();
  }
  caf::anon_send(ending_, stop_atom::value, caf::timespan{config_.stop_grace},
                 caf::timespan{config_.shutdown_bound});
}

void running_daemon::leave() {
  if (std::exchange(stopping_, true))
    return;
  log::info("daemon ends and leaves its VMs to their keepers");
  io::notify("STOPPING=1");
  close_entrance();
  // First, so that nobody who goes now takes a VM with them.
  leaving_->store(true);
  caf::anon_send(ending_, leave_atom::value, leave_bound);
}

void running_daemon::reload() {
  if (stopping_)
    return;
  io::notify(io::reloading_state());
  std::string remark;
  auto next = load_config_of(places_, user_, ::geteuid());
  auto applied = next ? apply(std::move(*next)) : io::result<void>{next.why()};
  if (applied) {
    log::info("daemon read its configuration anew");
  } else {
    log::error("daemon keeps its configuration: {}", applied.why().what);
    remark = "its configuration was not read anew: " + applied.why().what;
  }
  if (pulse_)
    caf::anon_send(pulse_, caf::put_atom::value, remark);
  io::notify("READY=1");
}

/// All of it or nothing.
io::result<void> running_daemon::apply(daemon_config next) {
  if (next.tls && started_.tls) {
    auto identity = transport::load_tls_identity(next.tls->files);
    if (!identity)
      return identity.why();
    identity_->set(*identity);
  }
  for (const auto& key : changes_for_restart(started_, next))
    log::warn("daemon uses a changed \"{}\" from its next start on", key);
  grants_->set(next.grants);
  log::set_level(next.log_level);
  config_ = std::move(next);
  return {};
}

void running_daemon::end(daemon_end how, const std::string& why) {
  if (how == daemon_end::broken)
    log::error("daemon lost what it can't be without: {}", why);
  else if (how == daemon_end::left)
    log::info("daemon has left its VMs");
  else if (how != daemon_end::drained)
    log::warn("daemon kills the VMs that are left: {}", why);
  end_ = how;
  loop_.stop();
}

} // namespace crosvisor
