// SPDX-License-Identifier: Apache-2.0
// The commands that make one image: no VM, and therefore no service, only its image builders,
// unless a service was named.
#include "crosvisor/actors/image_builder_pool.hpp"
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/image_requests.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/composite_files.hpp"
#include "crosvisor/io/linux_image_builder.hpp"
#include "crosvisor/messages/register_types.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <cerrno>
#include <utility>
#include <vector>

namespace crosvisor::cli {

namespace {

struct small_system_config : caf::actor_system_config {
  small_system_config() {
    register_types(*this);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{1});
  }
};

/// Image builders in this process. block_ending_signals() must have been called: the threads that
/// are made here keep what is blocked.
class image_builders {
public:
  image_builders() {
    pool_ =
      system_.spawn(actors::image_builder_pool,
                    actors::image_builder_pool_options{io::make_linux_image_builder({}, ""), 1});
  }
  image_builders(const image_builders&) = delete;
  image_builders& operator=(const image_builders&) = delete;
  ~image_builders() { caf::anon_send_exit(pool_, caf::exit_reason::user_shutdown); }

  image_requests requests() { return {system_, pool_}; }

private:
  small_system_config config_;
  caf::actor_system system_{config_};
  image_builder_pool_actor pool_;
};

/// Has the builders of the service that was named make something, or else those of this process.
template <class Make>
outcome<int> try_make(const connect_arguments& connect, const Make& make) {
  auto named = !connect.where.empty() || process_environment()("CROSVISOR_CONNECT");
  auto where = named ? choose_endpoint(connect, own_surroundings(), without_daemon::embed)
                     : outcome<endpoint>{endpoint{}};
  if (const auto* end = std::get_if<early_end>(&where))
    return *end;
  if (std::get<endpoint>(where).kind == endpoint_kind::embedded) {
    image_builders builders;
    return make(builders.requests());
  }
  auto opened = open_connection(connect, without_daemon::embed);
  if (const auto* end = std::get_if<early_end>(&opened))
    return *end;
  return make(image_requests{*std::get<0>(opened)});
}

template <class Make>
int make_image(const connect_arguments& connect, const Make& make) {
  block_ending_signals();
  auto made = try_make(connect, make);
  if (const auto* end = std::get_if<early_end>(&made))
    return complain(end->exit_code, end->what);
  return std::get<int>(made);
}

} // namespace

int create_partition(const create_partition_arguments& arguments) {
  return make_image(arguments.connect, [&](image_requests images) -> outcome<int> {
    auto made = images.make_partition(arguments.path, arguments.spec);
    if (const auto* end = std::get_if<early_end>(&made))
      return *end;
    return done;
  });
}

int create_idsig(const create_idsig_arguments& arguments) {
  return make_image(arguments.connect, [&](image_requests images) -> outcome<int> {
    auto made = images.update_idsig(arguments.apk, arguments.idsig, arguments.allow_unsigned);
    if (const auto* end = std::get_if<early_end>(&made))
      return *end;
    if (std::get<idsig_info>(made).was_current)
      say("crosvisor: " + io::printable(arguments.idsig, 4096) + ": is up to date\n");
    return done;
  });
}

int create_composite(const create_composite_arguments& arguments) {
  block_ending_signals(); // It takes milliseconds, and nobody is to stop it halfway.
  std::vector<io::composite_part> parts;
  for (const auto& text : arguments.partitions) {
    auto part = io::parse_composite_part(text);
    if (!part)
      return complain(usage, part.why().what);
    parts.push_back(std::move(*part));
  }
  auto made = io::create_composite_files(arguments.path, parts, {});
  if (made)
    return done;
  auto code = made.why().code;
  auto misnamed = code == 0 || code == ENOENT || code == EISDIR;
  return complain(code == EEXIST ? conflict : misnamed ? usage : failed, made.why().what);
}

} // namespace crosvisor::cli
