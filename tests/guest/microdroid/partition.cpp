// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/microdroid/partition.hpp"

#include "../../io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <filesystem>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE guest.microdroid.partition

using namespace crosvisor::guest;

namespace {

/// A folder like /sys/class/block.
struct devices {
  crosvisor::tests::temp_dir dir;

  void add(const std::string& name, const std::string& uevent) {
    std::filesystem::create_directory(dir / name);
    dir.write(name + "/uevent", uevent);
  }

  std::string find(const std::string& label) const {
    return find_partition(label, dir.path().c_str()).name;
  }
};

} // namespace

CAF_TEST(a partition is found by its label alone) {
  devices some;
  some.add("vda", "MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n");
  some.add("vda1", "DEVNAME=vda1\nPARTN=1\nPARTNAME=payload-metadata\n");
  some.add("vda2", "PARTNAME=microdroid-apk\nDEVNAME=vda2");
  some.add("vda3", "DEVNAME=vda3\nPARTNAME=microdroid-apk-idsig");
  some.add("vda4", "DEVNAME=PARTNAME=other\nXPARTNAME=other\n");
  CAF_CHECK_EQUAL(some.find("payload-metadata"), "vda1");
  CAF_CHECK_EQUAL(some.find("microdroid-apk"), "vda2");
  CAF_CHECK_EQUAL(some.find("microdroid-apk-idsig"), "vda3");
  CAF_CHECK_EQUAL(some.find("other"), "");
  CAF_CHECK_EQUAL(some.find("apk"), "");
  CAF_CHECK_EQUAL(std::string{find_partition("microdroid-apk", some.dir.path().c_str()).path},
                  "/dev/vda2");
}

CAF_TEST(of two with the same label the first by name is taken) {
  devices some;
  some.add("vdb1", "PARTNAME=vm-instance\n");
  some.add("vda7", "PARTNAME=vm-instance\n");
  some.add("vdc1", "PARTNAME=vm-instance\n");
  CAF_CHECK_EQUAL(some.find("vm-instance"), "vda7");
}

CAF_TEST(devices that say nothing are passed over) {
  devices some;
  some.add("ram0", "");
  std::filesystem::create_directory(some.dir / "gone");
  some.dir.write("file", "PARTNAME=x\n");
  CAF_CHECK_EQUAL(some.find("x"), "");
  CAF_CHECK(!find_partition("x", "/no/such/folder").found());
}

CAF_TEST(a partition that does not come is told by its label) {
  partition found;
  auto come = await_partition("no such partition of crosvisor", 0, found);
  CAF_CHECK(come.why == cause::unknown);
  CAF_CHECK_EQUAL(std::string{come.message},
                  "there is no partition no such partition of crosvisor");
}
