// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/linux_image_builder.hpp"

#include "crosvisor/tests/io/payload/app_files.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.linux_image_builder

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

/// A host with QEMU, KVM, vsock, and a server for disks of partitions; no crosvm.
host_info qemu_host() {
  host_info host;
  host.kvm = {true, ""};
  host.vsock_device = {true, "/usr/libexec/crosvisor-vsock"};
  host.disk_server = {true, "/usr/lib/composite.so"};
  host.vmms = {{vmm_kind::crosvm, "", "", {false, "there is no crosvm"}, {}},
               {vmm_kind::qemu, "/usr/bin/qemu", "QEMU 7.2", {true, ""}, {}}};
  host.memory_mib = 4096;
  return host;
}

struct fixture : app_files {
  result<built_vm_images> build(vmm_choice choice = {vmm_kind::qemu, accel_kind::kvm, false}) {
    auto shared = std::make_shared<descriptor_set>(std::move(files));
    return make_linux_image_builder(qemu_host(), dir / "os")
      ->build_vm_images({config, choice, std::move(shared)}, control);
  }

  /// Why it could not be built, which is the input's fault.
  std::string refused() {
    auto built = build();
    if (built)
      return "";
    CAF_CHECK_EQUAL(built.why().code, 0);
    return built.why().what;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(linux_image_builder_tests, fixture)

CAF_TEST(an app gets its disks and what its operating system wants) {
  define(R"({"kernel": "vmlinux", "memory_mib": 512, "guest_protocol": true, "accel": "tcg"})");
  auto built = build();
  if (!built)
    CAF_FAIL(built.why().what);
  CAF_CHECK(!built->config.app);
  CAF_CHECK(built->choice.vmm == vmm_kind::qemu);
  CAF_CHECK(built->choice.accel == accel_kind::tcg);
  CAF_CHECK_EQUAL(built->config.memory_mib, 512u);
  CAF_CHECK_EQUAL(built->disks->size(), built->config.disks.size());
}

CAF_TEST(an operating system that this host can not run is refused by its name) {
  define(R"({"kernel": "vmlinux", "vmm": "crosvm"})");
  CAF_CHECK_EQUAL(refused(), "app.os \"microdroid\": vmm: there is no crosvm");
}

CAF_TEST(more memory than the host has is refused) {
  define(R"({"kernel": "vmlinux", "memory_mib": 8192})");
  CAF_CHECK_EQUAL(refused(),
                  "app.os \"microdroid\": memory_mib: 8192 is more than the host's 4096");
}

CAF_TEST(a plain vm of partitions keeps what was chosen) {
  vm_config plain;
  plain.name = "plain";
  plain.kernel = file("vmlinux", "a kernel");
  plain.disks.resize(1);
  plain.disks[0].partitions.push_back(
    {"data", file("data.img", std::string(5000, 'd')), image_format::raw, false, ""});
  config = plain;
  auto built = build({vmm_kind::qemu, accel_kind::tcg, true});
  if (!built)
    CAF_FAIL(built.why().what);
  CAF_CHECK(built->choice.accel == accel_kind::tcg);
  CAF_CHECK(built->choice.nested);
  CAF_REQUIRE(built->disks->contains(0));
  CAF_CHECK_EQUAL(built->disks->at(0).size_bytes, std::uint64_t{20'480 + 8192 + 20'480});
}

CAF_TEST(a cancelled job builds nothing) {
  control.cancel();
  auto built = build();
  CAF_REQUIRE(!built);
  CAF_CHECK_EQUAL(built.why().code, ECANCELED);
}

CAF_TEST_FIXTURE_SCOPE_END()
