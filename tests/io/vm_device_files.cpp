// SPDX-License-Identifier: Apache-2.0
// What devices are made of.
#include "crosvisor/tests/io/checked_files.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.vm_device_files

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

CAF_TEST_FIXTURE_SCOPE(vm_device_files_tests, checked_files)

CAF_TEST(devices get what they are to be made of) {
  auto& devices = config.devices;
  devices.network.tap = {"tap0", files.add(unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)})};
  CAF_CHECK_EQUAL(problem(), "network.tap \"tap0\": is no descriptor of /dev/net/tun");
  devices.network.tap = {};
  auto share = [&](const std::string& path, int flags) {
    devices.shared_directories = {{"tag", file(path, flags), true}};
    return problem();
  };
  CAF_CHECK_EQUAL(share(dir.path(), O_RDONLY | O_DIRECTORY), "");
  CAF_CHECK(share(dir.path(), O_PATH).ends_with("is not open for reading"));
  CAF_CHECK_EQUAL(share(dir / "vmlinux", O_RDONLY),
                  "shared_directories[0] \"vmlinux\": is no directory");
  CAF_CHECK_EQUAL(share("/proc", O_RDONLY | O_DIRECTORY),
                  "shared_directories[0] \"proc\": is a directory of the kernel's");
  devices.shared_directories = {{"tag", {"gone", 99}, false}};
  CAF_CHECK_EQUAL(problem(), "shared_directories[0] \"gone\": came without a descriptor");
}

CAF_TEST(pstore is a file of so many records that can be written) {
  auto& devices = config.devices;
  auto pstore = [&](std::size_t size, int flags) {
    devices.shared_directories.clear();
    devices.pstore = file(dir.write("pstore", std::string(size, '\0')), flags);
    return problem();
  };
  CAF_CHECK_EQUAL(pstore(65536, O_RDWR), "");
  CAF_CHECK_EQUAL(pstore(65536, O_RDONLY), "pstore \"pstore\": is not open for writing");
  CAF_CHECK_EQUAL(pstore(0, O_RDWR), "pstore \"pstore\": is empty");
  CAF_CHECK_EQUAL(pstore(65537, O_RDWR),
                  "pstore \"pstore\": has 65537 bytes; allowed are 65536 to 16777216, a multiple "
                  "of 8192");
  CAF_CHECK(pstore(57344, O_RDWR).find("has 57344 bytes") != std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
