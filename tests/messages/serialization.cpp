// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/messages/type_ids.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE messages.serialization

using namespace crosvisor;

namespace {

struct fixture {
  caf::actor_system_config config;
  fixture() { register_types(config); }

  /// What comes out at the other end of the wire, as text that shows every field.
  template <class T>
  std::string over_the_wire(const T& value) {
    caf::actor_system system{config};
    std::vector<char> bytes;
    caf::binary_serializer sink{system, bytes};
    CAF_REQUIRE(!sink(value));
    T copy;
    caf::binary_deserializer source{system, bytes};
    CAF_REQUIRE(!source(copy));
    CAF_CHECK_EQUAL(source.remaining(), 0u);
    return caf::deep_to_string(copy);
  }

  template <class T>
  void check(const T& value) {
    CAF_CHECK_EQUAL(over_the_wire(value), caf::deep_to_string(value));
  }
};

vm_config whole_config() {
  vm_config config;
  config.name = "demo";
  config.kernel = {"vmlinux", 0};
  config.initrd = {"initramfs.cpio", 1};
  config.params = "quiet";
  config.disks = {{{"root.img", 2}, image_format::raw, false},
                  {{"data.qcow2", 3}, image_format::qcow2, true}};
  config.memory_mib = 4096;
  config.cpus = 4;
  config.protected_vm = true;
  config.vmm = vmm_kind::crosvm;
  config.accel = accel_kind::kvm;
  config.console = {"-", 4};
  config.log = {"guest.log", 5};
  config.guest_protocol = true;
  config.started_timeout_s = 7;
  return config;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(serialization_tests, fixture)

CAF_TEST(a configuration arrives whole) {
  check(whole_config());
  check(vm_config{});
}

CAF_TEST(an event arrives whole) {
  vm_event event;
  event.seq = 7;
  event.time_ms = 1795500600123;
  event.cid = 2048;
  event.name = "demo";
  event.kind = vm_event_kind::dead;
  event.state = vm_state::dead;
  event.detail = "the guest powered off";
  event.reason = death_reason::shutdown;
  event.exit = {exit_kind::code, 32, death_reason::reboot, "reset"};
  event.payload = {true, true, 7, true, payload_error::payload_changed};
  check(event);
}

CAF_TEST(infos arrive whole) {
  vm_info info;
  info.cid = 2048;
  info.name = "demo";
  info.state = vm_state::started;
  info.suspended = true;
  info.vmm_pid = 4711;
  info.memory_mib = 128;
  info.cpus = 1;
  info.payload = {true, true, -1, false, payload_error::unknown};
  check(info);
  check(std::vector<vm_info>{info, vm_info{}});
  check(balloon_info{64u << 20, 128u << 20});
  check(vmm_choice{vmm_kind::crosvm, accel_kind::kvm, true});
}

CAF_TEST(what a guest says and writes arrives whole) {
  check(payload_info{true, false, 0, true, payload_error::payload_invalid_config});
  check(payload_status{payload_status_kind::error, 3, payload_error::payload_changed, "words"});
  check(output_chunk{std::uint64_t{1} << 40, std::string("a\0b", 3), 17, true});
}

CAF_TEST(what a host can do arrives whole) {
  host_info host;
  host.kvm = {false, "no /dev/kvm"};
  host.memory_mib = 24000;
  host.vsock_device = {false, "not found"};
  host.disk_server = {true, "/usr/lib/nbdkit/plugins/nbdkit-composite-plugin.so"};
  host.vsock_ports = {{3000, {true, ""}}, {5000, {false, "busy"}}};
  host.cpus = 2;
  host.vmms = {
    {vmm_kind::crosvm, "/usr/bin/crosvm", "crosvm 0.1", {true, ""}, {"extended-status"}}};
  check(host);
  check(host.vsock_ports);
}

CAF_TEST(what is said of stored images arrives whole) {
  check(image_upload{"disk.img", std::uint64_t{1} << 40, std::string(64, 'a')});
  check(upload_place{7, std::uint64_t{1} << 39, true});
  check(image_piece{7, 262'144, std::string("a\0b", 3)});
  image_info info{"disk.img", "uid 1000", 4096, std::string(64, 'a'), 1'795'500'600'123, true};
  check(info);
  check(std::vector<image_info>{info, image_info{}});
  check(image_query{"disk.img", 262'144});
  check(image_part{std::string("a\0b", 3), 4096, "", 17});
}

CAF_TEST(our ids stand where they are documented) {
  CAF_CHECK_EQUAL(caf::id_block::crosvisor::begin, caf::first_custom_type_id + 1000);
  CAF_CHECK_EQUAL((caf::type_id<vm_actor>::value), caf::id_block::crosvisor::begin);
}

CAF_TEST_FIXTURE_SCOPE_END()
