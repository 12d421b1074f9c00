// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/file_server.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <sys/socket.h>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.file_server

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words)
    all += (all.empty() ? "" : " ") + word;
  return all;
}

} // namespace

CAF_TEST(each virtiofsd has its own options and only what is written is not refused) {
  auto found = file_server_command({"/bin/share", "/usr/lib/qemu/virtiofsd", true}, 7, true, 8, 9);
  CAF_CHECK_EQUAL(found.program, "/bin/share");
  CAF_CHECK_EQUAL(joined(found.argv),
                  "/bin/share /usr/lib/qemu/virtiofsd --fd=8 -f -o source=/proc/self/fd/7/. -o "
                  "sandbox=chroot -o cache=auto -o log_level=warn --rlimit-nofile=0");
  CAF_CHECK(found.inherited == std::vector<int>({7, 8}));
  CAF_CHECK_EQUAL(found.stderr_fd, 9);
  found = file_server_command({"/bin/share", "/usr/libexec/virtiofsd"}, 7, false, 8, 9);
  CAF_CHECK_EQUAL(joined(found.argv),
                  "/bin/share --read-only /usr/libexec/virtiofsd --fd=8 "
                  "--shared-dir=/proc/self/fd/7/. --sandbox=chroot --cache=auto --log-level=warn "
                  "--rlimit-nofile=0");
}

CAF_TEST(the first virtiofsd that is there is taken) {
  temp_dir dir;
  std::filesystem::create_directory(dir / "qemu");
  auto qemus = dir.write("qemu/virtiofsd", "x", 0755);
  auto found = find_file_server("/bin/share", {dir / "virtiofsd", qemus});
  CAF_REQUIRE(found);
  CAF_CHECK_EQUAL(found->virtiofsd, qemus);
  CAF_CHECK(found->of_qemu);
  auto todays = dir.write("virtiofsd", "x", 0755);
  found = find_file_server("/bin/share", {todays, qemus});
  CAF_REQUIRE(found);
  CAF_CHECK_EQUAL(found->virtiofsd, todays);
  CAF_CHECK(!found->of_qemu);
  auto none = find_file_server("/bin/share", {dir / "nothing"});
  CAF_REQUIRE(!none);
  CAF_CHECK_EQUAL(none.why().what, "shared_directories: there is no virtiofsd; install the package "
                                   "virtiofsd (Debian 12: qemu-system-common)");
}

CAF_TEST(files are served as whose the vm is) {
  auto own = file_server_user({caller_kind::process});
  CAF_REQUIRE(own);
  CAF_CHECK(!*own);
  own = file_server_user({caller_kind::socket, ::geteuid(), 1, {2}});
  CAF_REQUIRE(own);
  CAF_CHECK(!*own);
  auto other = file_server_user({caller_kind::socket, 54321, 7, {8, 9}});
  CAF_CHECK_EQUAL(static_cast<bool>(other), ::geteuid() == 0);
  if (other) {
    CAF_REQUIRE(*other);
    CAF_CHECK_EQUAL((*other)->uid, 54321u);
    CAF_CHECK_EQUAL((*other)->gid, 7u);
    CAF_CHECK((*other)->groups == std::vector<gid_t>({8, 9}));
  }
  CAF_CHECK(!file_server_user({caller_kind::certificate}));
}

CAF_TEST(a server is found by its vmm alone) {
  temp_dir dir;
  auto root = *runtime_root::open(dir / "run");
  auto made = *root->make("2048");
  auto connection = connect_file_server(*made);
  CAF_REQUIRE(connection);
  CAF_CHECK_EQUAL(names_in(made->path()), "");
  unique_fd accepted{::accept(connection->server.get(), nullptr, nullptr)};
  CAF_REQUIRE(accepted);
  CAF_CHECK_EQUAL(::send(connection->vmm.get(), "x", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  CAF_CHECK_EQUAL(::recv(accepted.get(), &byte, 1, 0), 1);
}
