// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_session.hpp"

#include "crosvisor/io/keeper/keeper_request.hpp"
#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/io/keeper/value_arrays.hpp"
#include "crosvisor/io/logging.hpp"
#include "crosvisor/io/tickets/descriptor_packet.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>
#include <vector>

namespace crosvisor::io {

namespace {

using nlohmann::json;

constexpr std::uint64_t max_bound_ms = 3'600'000;

class linux_keeper_session final : public keeper_session,
                                   public std::enable_shared_from_this<linux_keeper_session> {
public:
  linux_keeper_session(std::shared_ptr<keeper_vm> vm, std::unique_ptr<keeper_readers> left,
                       handlers told)
      : vm_(std::move(vm)), left_(std::move(left)), told_(std::move(told)) {}

  ~linux_keeper_session() override {
    if (channel_)
      channel_->close();
  }

  result<void> begin(event_loop& loop, unique_fd socket, keeper_packet hello) {
    keeper_channel::handlers on;
    on.on_packet = [weak = weak_from_this()](keeper_packet packet) {
      if (auto self = weak.lock(); self && !self->serve(std::move(packet)))
        self->break_off();
    };
    on.on_end = [weak = weak_from_this()] {
      if (auto self = weak.lock())
        self->end();
    };
    on.on_drained = [weak = weak_from_this()] {
      if (auto self = weak.lock())
        self->readers_->drained();
    };
    auto made = keeper_channel::make(loop, std::move(socket), std::move(on));
    if (!made)
      return made.why();
    channel_ = std::move(*made);
    readers_ = std::make_unique<keeper_readers>(vm_streams(), channel_);
    channel_->send(std::move(hello));
    for (const auto& fact : vm_->facts().all())
      tell(fact);
    send({{"type", "synced"}});
    return {};
  }

  void tell(const keeper_fact& fact) override {
    if (!channel_)
      return;
    if (fact.what != keeper_fact::kind::connection || fact.socket)
      return channel_->send({fact.packet, {}, copy_of(fact.socket)});
    auto packet = json::parse(fact.packet);
    packet["read"] = true;
    send(packet);
  }

  void forget_left() override { left_ = nullptr; }

private:
  using handler = bool (linux_keeper_session::*)(keeper_request&);

  struct entry {
    const char* type;
    handler serve;
  };

  static const entry entries[16];

  std::shared_ptr<guest_streams> vm_streams() { return {vm_, &vm_->streams()}; }

  // -- the connection ------------------------------------------------------------

  /// False when it is no packet of a service's.
  bool serve(keeper_packet packet) {
    keeper_request now{json::parse(packet.text, nullptr, false), std::move(packet.fds)};
    std::string type;
    if (!now.asked.is_object() || !now.read("type", type))
      return false;
    auto found = std::find_if(std::begin(entries), std::end(entries),
                              [&type](const auto& each) { return type == each.type; });
    if (found == std::end(entries))
      return true; // That of a later version.
    if (now.asked.contains("id") && !now.read("id", now.id))
      return false;
    return (this->*found->serve)(now);
  }

  void send(const json& packet, std::vector<unique_fd> fds = {}) {
    if (channel_)
      channel_->send({to_line(packet), {}, std::move(fds)});
  }

  static json answer_of(std::uint64_t id, int code, const std::string& what) {
    return {{"type", "answer"}, {"id", id}, {"code", code}, {"what", what}};
  }

  /// It has words in any case, by which it isn't taken for done.
  void refuse(std::uint64_t id, const failure& why) {
    send(answer_of(id, why.code, why.what.empty() ? "it failed" : why.what));
  }

  std::function<void(result<void>)> answering(std::uint64_t id) {
    return [weak = weak_from_this(), id](const result<void>& outcome) {
      if (auto self = weak.lock())
        outcome ? self->send(answer_of(id, 0, {})) : self->refuse(id, outcome.why());
    };
  }

  void break_off() {
    log::warn("a service said what no service says");
    if (channel_)
      channel_->close();
    end();
  }

  void end() {
    if (!std::exchange(channel_, nullptr))
      return;
    left_ = nullptr;
    auto told = std::exchange(told_, {});
    told.on_end(std::exchange(readers_, nullptr));
  }

  // -- what is asked of the VMM ----------------------------------------------------

  bool ask(keeper_request& of) {
    std::uint8_t what = 0;
    if (!of.read("what", what) || what > static_cast<std::uint8_t>(vmm_request::resume))
      return false;
    if (auto* process = running(of.id))
      process->ask(static_cast<vmm_request>(what), answering(of.id));
    return true;
  }

  bool get_balloon(keeper_request& of) {
    auto* process = running(of.id);
    if (process == nullptr)
      return true;
    process->get_balloon([weak = weak_from_this(), id = of.id](const result<balloon_info>& is) {
      auto self = weak.lock();
      if (!self)
        return;
      if (!is)
        return self->refuse(id, is.why());
      auto answer = answer_of(id, 0, {});
      answer["size_bytes"] = is->size_bytes;
      answer["memory_bytes"] = is->memory_bytes;
      self->send(answer);
    });
    return true;
  }

  bool set_balloon(keeper_request& of) {
    std::uint64_t size = 0;
    if (!of.read("size_bytes", size))
      return false;
    if (auto* process = running(of.id))
      process->set_balloon(size, answering(of.id));
    return true;
  }

  bool connect(keeper_request& of) {
    std::uint32_t port = 0;
    std::uint64_t bound_ms = 0;
    if (!of.read("port", port) || !of.read("bound_ms", bound_ms))
      return false;
    auto* process = running(of.id);
    if (process == nullptr)
      return true;
    std::chrono::milliseconds bound{std::clamp<std::uint64_t>(bound_ms, 1, max_bound_ms)};
    process->connect_vsock(
      port, bound, [weak = weak_from_this(), id = of.id](const result<stream_socket>& made) {
        auto self = weak.lock();
        if (self && made)
          self->answer_connected(id, *made);
        else if (self)
          self->refuse(id, made.why());
      });
    return true;
  }

  void answer_connected(std::uint64_t id, const stream_socket& socket) {
    std::vector<unique_fd> fds;
    fds.push_back(std::move(*socket));
    send(answer_of(id, 0, {}), std::move(fds));
  }

  bool signal(keeper_request& of) {
    int number = 0;
    if (!of.read("number", number) || (number != SIGTERM && number != SIGKILL))
      return false;
    if (auto* process = vm_->process())
      number == SIGTERM ? process->terminate() : process->kill();
    return true;
  }

  /// Null: it is released, and the request was answered.
  vmm_process* running(std::uint64_t id) {
    auto* process = vm_->process();
    if (process == nullptr)
      refuse(id, {ENOTCONN, "the VMM doesn't run"});
    return process;
  }

  // -- of the guest's streams --------------------------------------------------------

  /// Null: there is none of that number any more.
  bool find_socket(keeper_request& of, stream_socket& socket) {
    if (of.asked.contains("connection")) {
      std::uint64_t number = 0;
      if (!of.read("connection", number))
        return false;
      socket = vm_->facts().take(number);
      return true;
    }
    if (of.fds.size() == 1)
      socket = std::make_shared<unique_fd>(std::move(of.fds.front()));
    return true;
  }

  bool take_output(keeper_request& of) { return read_from_guest(of, &guest_streams::take_output); }

  bool take_status(keeper_request& of) { return read_from_guest(of, &guest_streams::take_status); }

  bool read_from_guest(keeper_request& of, void (guest_streams::*read)(stream_socket)) {
    stream_socket socket;
    if (!find_socket(of, socket))
      return false;
    if (socket)
      (vm_->streams().*read)(std::move(socket));
    return true;
  }

  bool let_go(keeper_request& of) {
    std::uint64_t number = 0;
    if (!of.read("connection", number))
      return false;
    vm_->facts().drop(number);
    return true;
  }

  bool open_output(keeper_request& of) {
    if (of.fds.size() == 1)
      vm_->streams().write_output_to(std::move(of.fds.front()));
    return true;
  }

  bool add_reader(keeper_request& of) {
    std::uint64_t reader = 0;
    if (!of.read("reader", reader) || !readers_->add(reader))
      return false;
    left_ = nullptr; // After that: a reader is there at any time.
    return true;
  }

  bool grant(keeper_request& of) {
    std::uint64_t reader = 0, bytes = 0;
    if (!of.read("reader", reader) || !of.read("bytes", bytes))
      return false;
    readers_->grant(reader, bytes);
    return true;
  }

  bool remove_reader(keeper_request& of) {
    std::uint64_t reader = 0;
    if (!of.read("reader", reader))
      return false;
    readers_->remove(reader);
    return true;
  }

  bool finish(keeper_request& of) {
    vm_->finish([answer = answering(of.id)] { answer({}); });
    return true;
  }

  // -- of the keeper --------------------------------------------------------------------

  bool get_origin(keeper_request& of) {
    std::uint64_t first = 0;
    if (!of.read("first", first))
      return false;
    auto origin = vm_->origin();
    auto copies = origin ? copies_of(*origin->files, first)
                         : failure{ENOTSUP, "the files that it was created with are not kept"};
    if (!copies) {
      refuse(of.id, copies.why());
      return true;
    }
    auto answer = answer_of(of.id, 0, {});
    answer["files"] = origin->files->size();
    send(answer, std::move(*copies));
    return true;
  }

  bool note(keeper_request& of) {
    std::string key, value;
    if (!of.read("key", key) || !of.read("value", value))
      return false;
    told_.on_note(std::move(key), std::move(value));
    return true;
  }

  bool release(keeper_request& of) {
    auto aside = false;
    if (of.asked.contains("aside") && !of.read("aside", aside))
      return false;
    if (!vm_->is_dead())
      refuse(of.id, {EBUSY, "the VMM runs"});
    else
      told_.on_release(aside, [weak = weak_from_this(), id = of.id, aside](const result<void>& is) {
        if (auto self = weak.lock())
          is ? self->answer_released(id, aside) : self->refuse(id, is.why());
      });
    return true;
  }

  void answer_released(std::uint64_t id, bool aside) {
    auto answer = answer_of(id, 0, {});
    answer["aside"] = aside;
    send(answer);
  }

  const std::shared_ptr<keeper_vm> vm_;
  std::unique_ptr<keeper_readers> left_; // The session's before.
  handlers told_;
  std::shared_ptr<keeper_channel> channel_; // Null once it is over.
  std::unique_ptr<keeper_readers> readers_;
};

const linux_keeper_session::entry linux_keeper_session::entries[16] = {
  {"ask", &linux_keeper_session::ask},
  {"get_balloon", &linux_keeper_session::get_balloon},
  {"set_balloon", &linux_keeper_session::set_balloon},
  {"connect", &linux_keeper_session::connect},
  {"signal", &linux_keeper_session::signal},
  {"note", &linux_keeper_session::note},
  {"take_output", &linux_keeper_session::take_output},
  {"take_status", &linux_keeper_session::take_status},
  {"let_go", &linux_keeper_session::let_go},
  {"open_output", &linux_keeper_session::open_output},
  {"add_reader", &linux_keeper_session::add_reader},
  {"grant", &linux_keeper_session::grant},
  {"remove_reader", &linux_keeper_session::remove_reader},
  {"finish", &linux_keeper_session::finish},
  {"release", &linux_keeper_session::release},
  {"get_origin", &linux_keeper_session::get_origin},
};

} // namespace

result<std::shared_ptr<keeper_session>>
keeper_session::make(event_loop& loop, unique_fd socket, std::shared_ptr<keeper_vm> vm,
                     keeper_packet hello, std::unique_ptr<keeper_readers> left, handlers told) {
  auto made =
    std::make_shared<linux_keeper_session>(std::move(vm), std::move(left), std::move(told));
  if (auto begun = made->begin(loop, std::move(socket), std::move(hello)); !begun)
    return begun.why();
  return std::shared_ptr<keeper_session>{std::move(made)};
}

} // namespace crosvisor::io
