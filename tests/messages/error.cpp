// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/error.hpp"

#include "crosvisor/messages/register_types.hpp"

#include <caf/test/dsl.hpp>

#include <set>

#undef CAF_SUITE
#define CAF_SUITE messages.error

using namespace crosvisor;

CAF_TEST(every code has a name of its own) {
  std::set<std::string> names;
  for (int code = 1; code <= static_cast<int>(vm_errc::denied); ++code)
    names.insert(to_string(static_cast<vm_errc>(code)));
  CAF_CHECK_EQUAL(names.size(), static_cast<std::size_t>(vm_errc::denied));
  CAF_CHECK_EQUAL(names.count("invalid"), 0u);
}

CAF_TEST(an error carries its sentence) {
  auto why = caf::make_error(vm_errc::no_such_vm, "no VM with CID 4711");
  CAF_CHECK_EQUAL(sentence_of(why), "no VM with CID 4711");
  CAF_CHECK_EQUAL(why, vm_errc::no_such_vm);
}

CAF_TEST(an error without a sentence is its name) {
  CAF_CHECK_EQUAL(sentence_of(caf::make_error(vm_errc::wrong_state)), "wrong_state");
  CAF_CHECK_EQUAL(sentence_of(caf::error{}), "no error");
}

CAF_TEST(an error of another category is rendered as CAF does) {
  auto why = caf::make_error(caf::sec::request_timeout);
  CAF_CHECK(sentence_of(why).find("request_timeout") != std::string::npos);
}

CAF_TEST(a system that registered us renders our errors) {
  caf::actor_system_config config;
  register_types(config);
  caf::actor_system system{config};
  auto text = system.render(caf::make_error(vm_errc::no_such_vm, "no VM with CID 4711"));
  CAF_CHECK_EQUAL(text, "no_such_vm(\"no VM with CID 4711\")");
}
