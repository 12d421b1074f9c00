// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/image_requests.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/tests/cli/fake_connection.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE cli.image_requests

using namespace crosvisor;
using namespace crosvisor::cli;
using namespace crosvisor::tests;

namespace {

using door = door_answers::door;

template <class T>
std::string told(const outcome<T>& what) {
  const auto* end = std::get_if<early_end>(&what);
  return end == nullptr ? "done" : std::to_string(end->exit_code) + ' ' + end->what;
}

struct fixture {
  temp_dir dir;
  fake_connection service;
  image_requests images{service};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(image_request_tests, fixture)

CAF_TEST(a service makes a partition in the file that it is handed) {
  service.answers->partition = [&](door, const partition_spec& spec,
                                   const ticket_list& files) -> caf::result<caf::ok_atom> {
    CAF_CHECK_EQUAL(spec.size_bytes, std::uint64_t{4096});
    CAF_CHECK_EQUAL(spec.file.index, std::uint32_t{0});
    CAF_CHECK_EQUAL(::ftruncate(service.given.at(files.tickets.at(0)).get(), 4096), 0);
    return caf::ok_atom::value;
  };
  CAF_CHECK_EQUAL(told(images.make_partition(dir / "p.img", {partition_type::raw, 4096, {}})),
                  "done");
  CAF_CHECK_EQUAL(std::filesystem::file_size(dir / "p.img"), std::uintmax_t{4096});
}

CAF_TEST(what fails leaves nothing) {
  service.answers->partition = [](door, const partition_spec&,
                                  const ticket_list&) -> caf::result<caf::ok_atom> {
    return caf::make_error(vm_errc::denied, "uid 1000 lacks \"manage\"");
  };
  auto path = dir / "p.img";
  CAF_CHECK_EQUAL(told(images.make_partition(path, {partition_type::raw, 4096, {}})),
                  "4 " + path
                    + ": permission denied by crosvisord: uid 1000 lacks \"manage\" (granted in "
                      "/etc/crosvisor/crosvisor.json)");
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(a service that is lost meanwhile leaves nothing) {
  service.answers->partition = [](door self, const partition_spec&, const ticket_list&) {
    self->quit(caf::exit_reason::kill);
    return no_answer<caf::ok_atom>(self);
  };
  CAF_CHECK_EQUAL(told(images.make_partition(dir / "p.img", {partition_type::raw, 4096, {}})),
                  "126 lost the connection to unix:/run/crosvisor/crosvisord.sock");
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST(a service digests the file that it is handed) {
  auto apk = dir.write("a.apk", "an apk");
  service.answers->idsig = [&](door self, const idsig_spec& spec,
                               const ticket_list& files) -> caf::result<idsig_info> {
    CAF_CHECK_EQUAL(files.tickets.size(), std::size_t{2});
    CAF_CHECK_EQUAL(spec.apk.index + spec.idsig.index, std::uint32_t{1});
    // How far it is.
    self->send(caf::actor_cast<progress_actor>(self->current_sender()), job_progress{1, 6});
    idsig_info info;
    info.was_current = true;
    return info;
  };
  auto made = images.update_idsig(apk, dir / "a.idsig", true);
  CAF_REQUIRE_EQUAL(told(made), "done");
  CAF_CHECK(std::get<idsig_info>(made).was_current);
  CAF_CHECK_EQUAL(names_in(dir.path()), "a.apk a.idsig");
}

CAF_TEST(no file goes to another host) {
  service.at = {endpoint_kind::tls, "", "far.example", 7443};
  auto path = dir / "p.img";
  CAF_CHECK_EQUAL(told(images.make_partition(path, {partition_type::raw, 4096, {}})),
                  "2 " + path + ": no descriptors over there");
  CAF_CHECK_EQUAL(names_in(dir.path()), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
