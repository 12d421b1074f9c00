// SPDX-License-Identifier: Apache-2.0
// The service inside a host application's own actor system, on real threads.
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/messages/type_ids.hpp"
#include "crosvisor/service/service.hpp"
#include "crosvisor/tests/fakes/fake_backend.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE service.embedding

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

// A host application has messages of its own, numbered from where CAF lets it begin.
namespace host_application {

struct greeting {
  std::string text;
};

template <class Inspector>
auto inspect(Inspector& f, greeting& x) {
  return f(x.text);
}

} // namespace host_application

CAF_BEGIN_TYPE_ID_BLOCK(host_application, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(host_application, (host_application::greeting))
CAF_END_TYPE_ID_BLOCK(host_application)

namespace {

constexpr auto bound = 10s;

} // namespace

CAF_TEST(a host application embeds the service beside its own messages) {
  caf::actor_system_config config;
  config.add_message_types<caf::id_block::host_application>();
  register_types(config);
  auto launcher = std::make_shared<fake_launcher>();
  io::backend host;
  host.host.vmms = {{vmm_kind::qemu, "/usr/bin/qemu", "QEMU", {true, ""}, {}}};
  host.launcher = launcher;
  host.cids = std::make_shared<fake_claimer>();
  host.last_cid = std::make_shared<fake_cid_store>();
  caf::actor_system system{config};
  auto service = spawn_service(system, host, {});
  caf::scoped_actor self{system};
  vm_config vm_wanted;
  vm_wanted.kernel = {"vmlinux", 0};
  vm_actor vm;
  auto failed = [&](caf::error& why) { CAF_FAIL(sentence_of(why)); };
  self
    ->request(service, bound, create_atom::value, vm_wanted, std::make_shared<io::descriptor_set>())
    .receive([&](const vm_actor& handle, const vm_info&) { vm = handle; }, failed);
  self->request(vm, bound, kill_atom::value)
    .receive([&](const vm_info& info) { CAF_CHECK_EQUAL(to_string(info.state), "dead"); }, failed);
  self->request(service, bound, drain_atom::value, caf::timespan{1s})
    .receive([&](caf::ok_atom) { CAF_CHECK(launcher->launched.empty()); }, failed);
  self->send_exit(service, caf::exit_reason::user_shutdown);
}
