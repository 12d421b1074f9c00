// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/vm_memory.hpp"

#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>

#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE io.vmm.vm_memory

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

/// A host with huge pages of 2 MiB.
struct fixture {
  temp_dir dir;
  std::string pool = dir / "hugepages/hugepages-2048kB";

  fixture() {
    std::filesystem::create_directories(pool);
    std::filesystem::create_directories(dir / "transparent_hugepage");
    dir.write("meminfo", "MemTotal: 1 kB\nHugePages_Total: 5\nHugepagesize:       2048 kB\n");
    has(0, 0, 0, 0);
  }

  void has(int free, int promised, int overcommit, int surplus) {
    auto name = pool.substr(dir.path().size() + 1);
    dir.write(name + "/free_hugepages", std::to_string(free));
    dir.write(name + "/resv_hugepages", std::to_string(promised));
    dir.write(name + "/nr_overcommit_hugepages", std::to_string(overcommit));
    dir.write(name + "/surplus_hugepages", std::to_string(surplus));
  }

  std::string problem(vmm_kind vmm, std::uint32_t memory_mib) {
    auto able = check_hugepages(vmm, memory_mib, dir.path(), dir / "meminfo");
    return able ? "" : able.why().what;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(vm_memory_tests, fixture)

CAF_TEST(as many huge pages as the memory has are needed and nobody else may have them) {
  CAF_CHECK_EQUAL(problem(vmm_kind::qemu, 128),
                  "hugepages: 64 of 2048 KiB are needed and 0 are free; raise vm.nr_hugepages");
  has(64, 0, 0, 0);
  CAF_CHECK_EQUAL(problem(vmm_kind::qemu, 128), "");
  has(64, 1, 0, 0);
  CAF_CHECK_EQUAL(problem(vmm_kind::qemu, 128),
                  "hugepages: 64 of 2048 KiB are needed and 63 are free; raise vm.nr_hugepages");
  has(60, 0, 5, 1);
  CAF_CHECK_EQUAL(problem(vmm_kind::qemu, 128), "");
}

CAF_TEST(memory is a whole number of huge pages) {
  has(1000, 0, 0, 0);
  CAF_CHECK_EQUAL(problem(vmm_kind::qemu, 129),
                  "hugepages: 129 MiB of memory are no whole number of the host's huge pages of "
                  "2048 KiB");
  dir.write("meminfo", "MemTotal: 1 kB\n");
  CAF_CHECK_EQUAL(problem(vmm_kind::qemu, 128), "hugepages: this host's kernel has none");
}

CAF_TEST(crosvm has those that the kernel makes of shared memory) {
  for (const auto* words : {"always within_size [advise] never deny force", "[always] never"}) {
    dir.write("transparent_hugepage/shmem_enabled", words);
    CAF_CHECK_EQUAL(problem(vmm_kind::crosvm, 129), "");
  }
  dir.write("transparent_hugepage/shmem_enabled", "always within_size advise [never] deny force");
  CAF_CHECK(problem(vmm_kind::crosvm, 128).starts_with("hugepages: the host's kernel makes none"));
}

CAF_TEST(pstore is a copy that goes back when it is told to) {
  auto path = dir.write("pstore", std::string(65536, 'a'));
  unique_fd file{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  auto memory = pstore_memory::copy(file.get());
  CAF_REQUIRE(memory);
  file.reset(); // It has its own.
  CAF_CHECK_EQUAL(memory->size_bytes(), 65536u);
  CAF_REQUIRE(write_at(memory->fd(), 4096, "record"));
  auto before = read_at(unique_fd{::open(path.c_str(), O_RDONLY)}.get(), 4096, 6);
  CAF_CHECK_EQUAL(*before, "aaaaaa");
  CAF_REQUIRE(memory->write_back());
  unique_fd again{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  auto after = read_at(again.get(), 4095, 8);
  CAF_CHECK_EQUAL(*after, "arecorda");
  CAF_CHECK(::ftruncate(memory->fd(), 0) != 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
