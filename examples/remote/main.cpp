// SPDX-License-Identifier: Apache-2.0
// A client of a daemon, by messages: creates a virtual machine, or takes one that was passed on,
// starts it, shows what happens to it on standard error and its payload's output on standard
// output, and stops it after a while. Or says a line to a port of its guest's, and shows the
// answer.
#include <crosvisor/crosvisor.hpp>

#include <caf/scoped_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <iostream>
#include <optional>
#include <variant>

namespace {

using namespace std::chrono_literals;

constexpr auto answer_bound = 10s;
/// Images are made and a VMM is started meanwhile.
constexpr auto start_bound = 3min;
/// What a guest gets to heed its power button; the service's own steps come on top.
constexpr caf::timespan grace = 10s;
constexpr auto stop_bound = grace + 1min;
/// How much of the payload's output may be under way.
constexpr std::uint64_t window = 256 << 10;

int fail(const std::string& what) {
  std::cerr << "crosvisor-remote: " << what << std::endl;
  return 1;
}

/// Shows one VM's events and output until it is dead, or the door is lost.
using viewer_actor =
  caf::typed_actor<caf::reacts_to<crosvisor::vm_event>, caf::reacts_to<crosvisor::output_chunk>>;

struct viewer_state {
  /// CAF gives an aggregate the actor as its first member, in C++20.
  viewer_state() = default;

  bool dead = false;
  bool has_output = false;
};

viewer_actor::behavior_type viewer(viewer_actor::stateful_pointer<viewer_state> self,
                                   const crosvisor::door_actor& door, crosvisor::vm_cid cid) {
  // Nothing else says that the connection is gone.
  self->monitor(door);
  self->set_down_handler([self](const caf::down_msg& down) { self->quit(down.reason); });
  self->request(door, answer_bound, caf::subscribe_atom::value, cid)
    .then([](const crosvisor::vm_info&) {});
  self->request(door, answer_bound, caf::subscribe_atom::value, crosvisor::output_atom::value, cid)
    .then(
      [self, door, cid](caf::ok_atom) {
        self->state.has_output = true;
        self->send(door, crosvisor::credit_atom::value, cid, window);
      },
      [](const caf::error& why) {
        std::cerr << "no output: " << crosvisor::sentence_of(why) << std::endl;
      });
  return {
    [self](const crosvisor::vm_event& event) {
      std::cerr << "vm " << event.cid << ' ' << to_string(event.kind);
      if (event.kind == crosvisor::vm_event_kind::dead)
        std::cerr << ": " << to_string(event.reason);
      std::cerr << std::endl;
      self->state.dead = event.kind == crosvisor::vm_event_kind::dead;
      if (self->state.dead && !self->state.has_output)
        self->quit();
    },
    [self, door, cid](const crosvisor::output_chunk& piece) {
      std::cout << piece.bytes << std::flush;
      self->send(door, crosvisor::credit_atom::value, cid,
                 static_cast<std::uint64_t>(piece.bytes.size()));
      self->state.has_output = !piece.last;
      if (self->state.dead && piece.last)
        self->quit();
    },
  };
}

/// Who talks to the door. It refers to the VM that it creates, which is stopped when it goes.
class client {
public:
  explicit client(crosvisor::connection& service) : service_(service) {}

  /// Asks, and waits. Nothing where the door says no, which is shown.
  template <class... Ts>
  std::optional<crosvisor::vm_info> ask(caf::timespan bound, Ts... message) {
    std::optional<crosvisor::vm_info> answer;
    self_->request(service_.door(), bound, std::move(message)...)
      .receive([&](crosvisor::vm_info& info) { answer = std::move(info); },
               [](const caf::error& why) { fail(crosvisor::sentence_of(why)); });
    return answer;
  }

  std::optional<crosvisor::vm_info> create(const char* path);
  int run(const crosvisor::vm_info& vm, std::chrono::seconds lasting);
  int say(const crosvisor::vm_info& vm, std::uint32_t port, const std::string& line);

private:
  crosvisor::connection& service_;
  caf::scoped_actor self_{service_.system()};
};

/// Files go to a daemon of this host as descriptors.
std::optional<crosvisor::vm_info> client::create(const char* path) {
  auto config = crosvisor::io::load_vm_config(path);
  if (!config)
    return fail(config.why().what), std::nullopt;
  auto files = crosvisor::io::open_vm_files(*config, crosvisor::io::folder_of(path));
  if (!files)
    return fail(files.why().what), std::nullopt;
  auto tickets = service_.give(**files);
  if (!tickets)
    return fail(tickets.why().what), std::nullopt;
  return ask(answer_bound, crosvisor::create_atom::value, std::move(*config), std::move(*tickets));
}

/// Whoever took a VM that another created stops it alone, and may find it running.
int client::run(const crosvisor::vm_info& vm, std::chrono::seconds lasting) {
  auto follower = self_->spawn<caf::monitored>(viewer, service_.door(), vm.cid);
  if (vm.state == crosvisor::vm_state::not_started
      && !ask(start_bound, crosvisor::start_atom::value, vm.cid))
    return 1;
  auto ended = false;
  auto await = [&](caf::timespan bound) {
    self_->receive([&](const caf::down_msg&) { ended = true; }, caf::after(bound) >> [] {});
  };
  await(lasting);
  if (!ended) {
    if (!ask(stop_bound, crosvisor::stop_atom::value, vm.cid, grace))
      return 1;
    await(answer_bound);
  }
  return ended ? 0 : fail("the VM's end was not told");
}

/// The socket is one as the guest's own host would have it.
int client::say(const crosvisor::vm_info& vm, std::uint32_t port, const std::string& line) {
  std::promise<std::variant<crosvisor::io::unique_fd, caf::error>> opened;
  std::promise<caf::error> ended;
  crosvisor::stream_options stream;
  stream.door = service_.door();
  stream.cid = vm.cid;
  stream.port = port;
  stream.sockets = crosvisor::io::make_credited_sockets();
  stream.on_open = [&](auto what) { opened.set_value(std::move(what)); };
  stream.on_end = [&](const caf::error& why) { ended.set_value(why); };
  crosvisor::open_stream(service_.system(), stream);
  auto answer = opened.get_future().get();
  auto* socket = std::get_if<crosvisor::io::unique_fd>(&answer);
  if (socket == nullptr)
    return fail(crosvisor::sentence_of(std::get<caf::error>(answer)));
  // What the guest takes no more is told at the end.
  static_cast<void>(::send(socket->get(), line.data(), line.size(), MSG_NOSIGNAL));
  ::shutdown(socket->get(), SHUT_WR);
  char bytes[4096];
  for (ssize_t n; (n = ::read(socket->get(), bytes, sizeof(bytes))) > 0;)
    std::cout.write(bytes, n);
  std::cout << std::flush;
  auto why = ended.get_future().get();
  return why ? fail(crosvisor::sentence_of(why)) : 0;
}

/// `unix:PATH`, or `tls://HOST:PORT` with the files that the environment names.
crosvisor::io::result<std::unique_ptr<crosvisor::connection>> connect(const std::string& where) {
  crosvisor::connection_options options;
  auto parsed = crosvisor::parse_endpoint(where);
  if (!parsed)
    return parsed.why();
  options.where = *parsed;
  auto file = [variables = crosvisor::process_environment()](const char* name) {
    return variables(name).value_or("");
  };
  options.tls = {file("CROSVISOR_CERTIFICATE"), file("CROSVISOR_KEY"), file("CROSVISOR_CA")};
  return crosvisor::connection::open(options);
}

} // namespace

int main(int argc, char** argv) {
  auto command = std::string{argc > 2 ? argv[2] : ""};
  auto says = command == "say" && argc == 6;
  if (!says && !(argc == 5 && (command == "create" || command == "take"))) {
    std::cerr << "usage: crosvisor-remote ENDPOINT create CONFIG.json SECONDS\n"
                 "       crosvisor-remote ENDPOINT take WORD SECONDS\n"
                 "       crosvisor-remote ENDPOINT say WORD PORT LINE\n";
    return 2;
  }
  auto service = connect(argv[1]);
  if (!service)
    return fail(service.why().what);
  client self{**service};
  // A word is what `crosvisor pass` prints.
  auto vm = command == "create"
              ? self.create(argv[3])
              : self.ask(answer_bound, crosvisor::pass_atom::value, crosvisor::ticket{argv[3]});
  if (!vm)
    return 1;
  return says ? self.say(*vm, static_cast<std::uint32_t>(std::atoi(argv[4])), argv[5])
              : self.run(*vm, std::chrono::seconds{std::atoi(argv[4])});
}
