// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/failpoint.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/keeper/found_keeper.hpp"
#include "crosvisor/io/keeper/keeper_launch.hpp"
#include "crosvisor/io/keeper/keeper_protocol.hpp"
#include "crosvisor/io/keeper/keeper_record.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/keeper/watched_keeper.hpp"
#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/private_dir.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

namespace crosvisor::io {

namespace {

using nlohmann::json;
using steady = std::chrono::steady_clock;

/// Between two tries to connect to a keeper that has just been started.
constexpr std::chrono::milliseconds connect_pause{10};

std::vector<vm_cid> recorded_cids(const std::string& state_dir) {
  std::vector<vm_cid> cids;
  auto path = keeper_records_path(state_dir);
  auto all = open_private_dir(path);
  auto names = all ? list_dir(all->get()) : result<std::vector<std::string>>{all.why()};
  if (!names)
    log::error("records of keepers can't be listed: {}", names.why().what);
  for (const auto& name : names ? *names : std::vector<std::string>{}) {
    vm_cid cid = no_cid;
    auto* end = name.data() + name.size();
    auto parsed = std::from_chars(name.data(), end, cid);
    if (parsed.ec == std::errc{} && parsed.ptr == end && cid > 2)
      cids.push_back(cid);
    else
      log::warn("records of keepers have {} among them, which is none",
                in_quotes(path + "/" + name));
  }
  return cids;
}

/// Whether it is this process or the host that can't connect now, and may be able to soon.
bool passes(int code) {
  constexpr int passing[] = {EAGAIN, EINTR, EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC};
  return std::find(std::begin(passing), std::end(passing), code) != std::end(passing);
}

unique_fd open_socket() {
  return unique_fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

/// The contents of the memory file that a keeper sent.
result<std::string> read_launch_text(int fd) {
  constexpr off_t most = 16 << 20;
  auto size = ::lseek(fd, 0, SEEK_END);
  if (size < 0 || size > most)
    return failure{EBADMSG, "its launch is no file of at most 16 MiB"};
  return read_at(fd, 0, static_cast<std::size_t>(size));
}

/// One that lives, on its way to a hello.
class greeted_keeper {
public:
  greeted_keeper(const keeper_places& places, const std::string& boot_id, vm_cid cid,
                 keeper_record record)
      : boot_id_(boot_id),
        cid_(cid),
        path_(places.socket_path(cid)),
        record_(std::move(record)),
        socket_(open_socket()) {}

  vm_cid cid() const noexcept { return cid_; }
  int socket() const noexcept { return socket_.get(); }
  bool is_connected() const noexcept { return connected_; }

  /// Whether it did; ENOENT and ECONNREFUSED: not yet.
  result<void> connect() {
    if (auto why = injected(failpoint::greet_keeper))
      return *why;
    if (!socket_)
      socket_ = open_socket();
    if (!socket_)
      return last_failure("socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, max_socket_path_bytes);
    if (::connect(socket(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return last_failure("socket " + in_quotes(path_));
    connected_ = true;
    return {};
  }

  /// When there is something to be read.
  result<found_keeper> read_hello() {
    auto peer = check_peer();
    if (!peer)
      return peer.why();
    if (auto why = injected(failpoint::hear_hello))
      return *why;
    auto packet = receive_packet(socket(), max_keeper_packet_bytes);
    if (!packet)
      return packet.why();
    if (packet->text.empty())
      return failure{ECONNRESET, "it ended the connection"};
    auto hello = json::parse(packet->text, nullptr, false);
    if (packet->text_cut || !hello.is_object())
      return failure{EBADMSG, "it says " + in_quotes(packet->text) + ", which is no hello"};
    if (packet->fds_lost)
      return failure{EMFILE, "no descriptors are left for what it has"};
    auto known = check_hello(hello, *peer);
    if (!known)
      return known.why();
    auto found = read_vm(hello, packet->fds);
    if (found) {
      found->socket = std::move(socket_);
      found->pidfd = std::move(pidfd_);
    }
    return found;
  }

private:
  /// Its number; its uid is ours.
  result<pid_t> check_peer() {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(socket(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
      return last_failure("SO_PEERCRED");
    if (peer.uid != ::geteuid())
      return failure{EPERM, "it belongs to uid " + std::to_string(peer.uid)};
    auto pidfd = open_pidfd(peer.pid);
    if (!pidfd)
      return pidfd.why();
    // While the lock is held it lives, and the number was its own.
    if (!record_.is_held())
      return failure{ESRCH, "it has just ended"};
    pidfd_ = std::move(*pidfd);
    return peer.pid;
  }

  result<void> check_hello(const json& hello, pid_t pid) const {
    std::string type, boot_id;
    std::int64_t version = 0, its_pid = 0;
    vm_cid cid = no_cid;
    if (!read_member(hello, "type", type) || type != "hello"
        || !read_member(hello, "version", version) || !read_member(hello, "boot_id", boot_id)
        || !read_member(hello, "cid", cid) || !read_member(hello, "pid", its_pid))
      return failure{EBADMSG, "its first words are no hello"};
    if (version < oldest_keeper_version || version > keeper_protocol_version)
      return failure{EPROTO, "it speaks version " + std::to_string(version)
                               + " of the protocol; known are "
                               + std::to_string(oldest_keeper_version) + " to "
                               + std::to_string(keeper_protocol_version)};
    if (cid != cid_)
      return failure{EBADMSG, "it says that it keeps vm " + std::to_string(cid)};
    if (boot_id != boot_id_)
      return failure{EBADMSG, "it says that it is of boot " + in_quotes(boot_id)};
    if (its_pid != pid)
      return failure{EBADMSG, "it says that it is process " + std::to_string(its_pid)
                                + ", and is process " + std::to_string(pid)};
    return {};
  }

  result<found_keeper> read_vm(const json& hello, std::vector<unique_fd>& fds) const {
    if (fds.empty() || fds.size() > 2)
      return failure{EBADMSG, "its hello came without its launch"};
    auto text = read_launch_text(fds[0].get());
    if (!text)
      return text.why();
    auto launch = decode_keeper_launch(*text, false);
    if (!launch)
      return launch.why();
    if (launch->request.cid != cid_)
      return failure{EBADMSG, "its launch is that of vm " + std::to_string(launch->request.cid)};
    found_keeper found;
    found.vm.cid = cid_;
    found.vm.config = std::move(launch->request.config);
    found.vm.choice = launch->request.choice;
    found.origin = std::move(launch->request.origin);
    found.vm.notes = notes_from_json(hello.value("notes", json::object())).value_or(vm_notes{});
    if (fds.size() == 2)
      found.vm.vsock = std::make_shared<const unique_fd>(std::move(fds[1]));
    return found;
  }

  const std::string& boot_id_;
  vm_cid cid_;
  std::string path_;
  keeper_record record_; // To look whether it lives; not locked.
  unique_fd socket_;
  unique_fd pidfd_;
  bool connected_ = false;
};

/// Asks all that live at once.
class keeper_search {
public:
  keeper_search(const keeper_places& places, const std::string& boot_id, steady::time_point until)
      : places_(places), boot_id_(boot_id), until_(until) {}

  found_keepers run() {
    for (auto cid : recorded_cids(places_.state_dir))
      look_at(cid);
    reach(failpoint::find_keepers);
    while (!asked_.empty() && steady::now() < until_)
      turn();
    for (auto& late : asked_)
      give_up(late.cid(), "it does not answer on its socket");
    std::set<vm_cid> living = found_.unusable;
    for (const auto& [cid, keeper] : found_.all)
      if (keeper.socket)
        living.insert(cid);
    places_.remove_all_but(living);
    return std::move(found_);
  }

private:
  void look_at(vm_cid cid) {
    auto record = keeper_record::open(places_.state_dir, cid);
    if (!record)
      return give_up(cid, record.why().what);
    if (record->is_held())
      asked_.emplace_back(places_, boot_id_, cid, std::move(*record));
    else if (auto locked = record->lock(); locked)
      take_ended(cid, *record);
    else
      give_up(cid, locked.why().what);
  }

  /// With its record's lock held.
  void take_ended(vm_cid cid, keeper_record& record) {
    auto text = record.read_launch();
    auto drop = [&](const std::string& why) {
      log::warn("record of vm {} is dropped: {}", cid, why);
      if (auto removed = record.remove(); !removed)
        log::error("record of vm {} stays: {}", cid, removed.why().what);
    };
    if (!text || !*text)
      return drop(text ? "it was never launched" : text.why().what);
    auto launch = decode_keeper_launch(**text, false);
    if (!launch)
      return drop(launch.why().what);
    found_keeper ended;
    ended.vm.cid = cid;
    ended.vm.config = std::move(launch->request.config);
    ended.vm.choice = launch->request.choice;
    ended.vm.notes = std::move(launch->request.notes);
    auto notes = record.read_notes();
    if (notes && *notes)
      ended.vm.notes = std::move(**notes);
    else if (!notes)
      log::warn("vm {} has the notes of its launch: {}", cid, notes.why().what);
    found_.all.insert_or_assign(cid, std::move(ended));
  }

  void give_up(vm_cid cid, const std::string& why) {
    log::error("keeper of vm {} is left alone, and its CID not used: {}", cid, why);
    found_.unusable.insert(cid);
  }

  std::chrono::milliseconds left() const {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until_ - steady::now());
    return std::max(left, std::chrono::milliseconds{0});
  }

  void turn() {
    connect_all();
    std::vector<pollfd> waits;
    auto all_connected = true;
    for (const auto& keeper : asked_) {
      waits.push_back({keeper.is_connected() ? keeper.socket() : -1, POLLIN, 0});
      all_connected = all_connected && keeper.is_connected();
    }
    auto bound = all_connected ? left() : std::min(left(), connect_pause);
    if (waits.empty() || ::poll(waits.data(), waits.size(), static_cast<int>(bound.count())) <= 0)
      return;
    std::vector<greeted_keeper> silent;
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].revents == 0)
        silent.push_back(std::move(asked_[i]));
      else
        take_hello(asked_[i]);
    }
    asked_ = std::move(silent);
  }

  void connect_all() {
    std::vector<greeted_keeper> waiting;
    for (auto& keeper : std::exchange(asked_, {})) {
      auto connected = keeper.is_connected() ? result<void>{} : keeper.connect();
      auto code = connected ? 0 : connected.why().code;
      // One that was just started does not listen yet, or has ended.
      if (connected || passes(code))
        waiting.push_back(std::move(keeper));
      else if (code != ENOENT && code != ECONNREFUSED)
        give_up(keeper.cid(), connected.why().what);
      else if (!has_ended(keeper.cid()))
        waiting.push_back(std::move(keeper));
    }
    asked_ = std::move(waiting);
  }

  void take_hello(greeted_keeper& keeper) {
    auto found = keeper.read_hello();
    if (found)
      found_.all.insert_or_assign(keeper.cid(), std::move(*found));
    else if (!has_ended(keeper.cid()))
      give_up(keeper.cid(), found.why().what);
  }

  /// Then it is one of those that have.
  bool has_ended(vm_cid cid) {
    auto record = keeper_record::open(places_.state_dir, cid);
    if (!record || record->is_held() || !record->lock())
      return false;
    take_ended(cid, *record);
    return true;
  }

  const keeper_places& places_;
  const std::string& boot_id_;
  const steady::time_point until_;
  std::vector<greeted_keeper> asked_;
  found_keepers found_;
};

} // namespace

found_keepers find_keepers(const keeper_places& places, const std::string& boot_id,
                           std::chrono::milliseconds bound) {
  return keeper_search{places, boot_id, steady::now() + bound}.run();
}

} // namespace crosvisor::io
