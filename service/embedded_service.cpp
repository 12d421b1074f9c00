// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/embedded_service.hpp"

#include "crosvisor/messages/register_types.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <utility>

namespace crosvisor {

namespace {

/// What an answer may take besides the work itself.
constexpr caf::timespan answer_slack = std::chrono::seconds{5};
/// No VM's keeper is waited for.
constexpr caf::timespan adoption_bound = std::chrono::seconds{60};

struct system_config : caf::actor_system_config {
  explicit system_config(const embedded_service_options& options) {
    register_types(*this);
    // Stealing sleeps between polls, and one VM keeps no more than two threads busy.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", std::size_t{2});
    if (options.configure)
      options.configure(*this);
  }
};

} // namespace

io::result<std::unique_ptr<embedded_service>>
embedded_service::start(const embedded_service_options& options) {
  auto host = service_host::make(options);
  if (!host)
    return host.why();
  return std::make_unique<embedded_service>(std::move(*host));
}

embedded_service::embedded_service(std::unique_ptr<service_host> host)
    : host_(std::move(host)),
      config_(std::make_unique<system_config>(host_->options())),
      system_(std::make_unique<caf::actor_system>(*config_)),
      service_(spawn_service(*system_, *host_)) {}

embedded_service::~embedded_service() {
  caf::anon_send_exit(service_, caf::exit_reason::user_shutdown);
  service_ = nullptr;
}

io::result<std::vector<adopted_vm>> embedded_service::adopted() {
  io::result<std::vector<adopted_vm>> all = std::vector<adopted_vm>{};
  caf::scoped_actor self{*system_};
  self->request(service_, adoption_bound, caf::get_atom::value, adopted_atom::value)
    .receive([&](adopted_vms& vms) { all = std::move(vms.list); },
             [&](const caf::error& why) {
               all = io::failure{0, "the service does not take its VMs back: " + sentence_of(why)};
             });
  return all;
}

std::optional<std::string> embedded_service::shut_down() {
  std::optional<std::string> left;
  caf::scoped_actor self{*system_};
  auto bound = longest_stop(options().timeouts, caf::timespan::zero()) + answer_slack;
  self->request(service_, bound, drain_atom::value, caf::timespan::zero())
    .receive([](caf::ok_atom) {}, [&](const caf::error& why) { left = sentence_of(why); });
  return left;
}

} // namespace crosvisor
