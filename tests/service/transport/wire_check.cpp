// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/wire_check.hpp"

#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/service/transport/message_shapes.hpp"
#include "crosvisor/tests/service/transport/basp_bytes.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/message.hpp>
#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE service.transport.wire_check

using namespace crosvisor;
using namespace crosvisor::tests::basp;
using namespace crosvisor::transport;

namespace {

struct config : caf::actor_system_config {
  config() { register_types(*this); }
};

struct fixture {
  config cfg;
  caf::actor_system sys{cfg};
  message_shapes shapes;

  fixture() {
    add_inputs<door_actor>(shapes);
    add_outputs<door_actor>(shapes);
    shapes.add<vm_event>();
  }

  /// Whether it is one of the shapes as CAF itself writes it, and none once it is a byte shorter or
  /// longer.
  template <class... Ts>
  bool known(const Ts&... elements) {
    std::vector<char> written;
    caf::binary_serializer sink{sys, written};
    auto message = caf::make_message(elements...);
    if (sink(message))
      return false;
    std::string bytes{written.begin(), written.end()};
    return fits(bytes) && !fits(bytes + "x") && !fits(bytes.substr(0, bytes.size() - 1));
  }

  bool fits(const std::string& bytes) const {
    wire_reader from{bytes};
    auto types = from.message_types();
    return types && shapes.contain(*types, from);
  }
};

template <class T>
bool checks(const T& like, const std::string& bytes) {
  wire_reader from{bytes};
  wire_check check{from};
  return check.value(like) && from.remaining() == 0;
}

vm_config full_config() {
  vm_config config;
  config.name = "full";
  config.kernel = {"vmlinux", 0};
  config.disks.resize(3);
  config.disks[1].partitions.resize(5);
  config.disks[1].partitions[2].label = std::string(300, 'l');
  config.app.extra_apks.resize(2);
  return config;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(wire_check_tests, fixture)

CAF_TEST(what caf writes is known) {
  CAF_CHECK(known(list_atom::value));
  CAF_CHECK(known(create_atom::value, full_config(), ticket_list{{"a", "b"}}));
  CAF_CHECK(known(stop_atom::value, vm_cid{2048}, caf::timespan{-1}));
  CAF_CHECK(known(watch_atom::value, std::uint64_t{0}));
  CAF_CHECK(known(caf::put_atom::value, balloon_atom::value, vm_cid{7}, std::uint64_t{1} << 40));
  CAF_CHECK(known(caf::get_atom::value, log_query{"name", log_kind::vmm, {1, 2}, true}));
  CAF_CHECK(known(create_atom::value, idsig_spec{true, {"a", 0}, {"b", 1}}, ticket_list{}));
  vm_info info;
  info.owner.groups = {1, 2, 3};
  CAF_CHECK(known(std::vector<vm_info>{info, vm_info{}}));
  CAF_CHECK(known(host_info{}));
  CAF_CHECK(known(vm_event{}));
  CAF_CHECK(known(caf::ok_atom::value));
}

CAF_TEST(what is no message of theirs is not ) {
  CAF_CHECK(!known(create_atom::value));
  CAF_CHECK(!known(caf::link_atom::value));
  CAF_CHECK(!known(std::string{"words"}, std::uint32_t{1}));
  CAF_CHECK(!known(watch_atom::value, std::uint8_t{1}));
}

CAF_TEST(sizes are bounded by what there is) {
  CAF_CHECK(checks(std::string{}, text("abc")));
  CAF_CHECK(!checks(std::string{}, size_of(4) + "abc"));
  CAF_CHECK(!checks(std::string{}, size_of(0xffffffff)));
  CAF_CHECK(!checks(std::string{}, "\xff\xff\xff\xff\xff\x01"));
  CAF_CHECK(checks(std::string{}, std::string{"\x80\x80\x80\x80\x00", 5}));
  CAF_CHECK(!checks(std::vector<std::string>{}, size_of(2) + text("a")));
  CAF_CHECK(!checks(std::vector<std::uint64_t>{}, size_of(8) + number(0, 8)));
  CAF_CHECK(checks(std::vector<std::uint64_t>{}, size_of(1) + number(0, 8)));
}

CAF_TEST(empty elements do not take memory without end) {
  std::string many(max_wire_elements, '\0');
  CAF_CHECK(checks(std::vector<std::string>{}, size_of(many.size()) + many));
  many += '\0';
  CAF_CHECK(!checks(std::vector<std::string>{}, size_of(many.size()) + many));
}

CAF_TEST(errors have words and nothing else) {
  CAF_CHECK(checks(caf::error{}, error(number(0, 2) + text("@<>"))));
  CAF_CHECK(checks(caf::error{}, error(number(0, 2) + text("@<>+@str") + text("why"))));
  CAF_CHECK(!checks(caf::error{}, error(number(0, 2) + text("@<>+@str") + size_of(9))));
  CAF_CHECK(!checks(caf::error{}, error(nested(1))));
  CAF_CHECK(!checks(caf::error{}, error(number(7, 2))));
}

CAF_TEST(durations are 64 bits) {
  CAF_CHECK(checks(caf::timespan{}, number(0, 8)));
  CAF_CHECK(!checks(caf::timespan{}, number(0, 7)));
}

CAF_TEST_FIXTURE_SCOPE_END()
