// SPDX-License-Identifier: Apache-2.0
// What real guests see of disks that are put together from partitions, checked on the host.
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/test/dsl.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>

#undef CAF_SUITE
#define CAF_SUITE guest.partitions

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture : guest_host {
  /// A file that begins with `text` and has so many bytes.
  std::string image(const std::string& name, const std::string& text, std::size_t bytes) {
    auto path = scratch().write(name, text);
    std::filesystem::resize_file(path, bytes);
    return path;
  }

  /// Runs a guest to its end, which must be a clean one, and returns its console.
  std::string run(guest_plan plan) {
    guest_vm vm{*this, std::move(plan)};
    vm.start();
    CAF_CHECK_EQUAL(summary_of(vm.await_death()), "shutdown, code 0");
    return kept_log(vm.info(), "console");
  }

  static void check_has(const std::string& console, const std::string& line) {
    if (console.find(line + "\r\n") == console.npos)
      CAF_ERROR("no line \"" << line << "\" in: " << console);
    else
      CAF_CHECK(true);
  }
};

/// An Android sparse image of one raw block with `text` and three that don't matter.
std::string sparse_image(const std::string& text) {
  std::string bytes;
  auto put = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i)
      bytes.push_back(static_cast<char>(value >> (8 * i)));
  };
  put(0xed26ff3a, 4);
  for (auto [value, size] : {std::pair{1u, 2},
                             {0u, 2},
                             {28u, 2},
                             {12u, 2},
                             {4096u, 4},
                             {4u, 4},
                             {2u, 4},
                             {0u, 4},
                             {0xcac1u, 2},
                             {0u, 2},
                             {1u, 4},
                             {12u + 4096, 4}})
    put(value, size);
  bytes += text + std::string(4096 - text.size(), '\0');
  for (auto [value, size] : {std::pair{0xcac3u, 2}, {0u, 2}, {3u, 4}, {12u, 4}})
    put(value, size);
  return bytes;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(guest_partitions, fixture)

CAF_TEST(a guest finds partitions by their labels and writes to the one that it may) {
  auto odd = image("odd.img", "an odd size", 100'001);
  auto data = image("data.img", "before", 65'536);
  auto before = read_file(odd);
  auto console =
    run(guest_plan{"disks", "crosvisor.from=vda1 crosvisor.to=vda2 crosvisor.write=by-the-guest"}
          .disk_of_partitions(true)
          .partition("system", odd)
          .partition("data", data, true));
  check_has(console, "demo: vda1 is system");
  check_has(console, "demo: vda2 is data");
  check_has(console, "demo: vda1 text an odd size");
  check_has(console, "demo: vda2 text by-the-guest");
  CAF_CHECK_EQUAL(read_file(data).substr(0, 12), "by-the-guest");
  CAF_CHECK_EQUAL(read_file(data).size(), std::size_t{65'536});
  CAF_CHECK(read_file(odd) == before);
}

CAF_TEST(a partition that may only be read is not written on a disk that may) {
  auto system = image("system.img", "as it was", 65'536);
  auto data = image("data.img", "data", 65'536);
  auto console =
    run(guest_plan{"disks", "crosvisor.from=vda2 crosvisor.to=vda1 crosvisor.write=by-the-guest"}
          .disk_of_partitions(true)
          .partition("system", system)
          .partition("data", data, true));
  check_has(console, "demo: vda1 can't be written");
  CAF_CHECK_EQUAL(read_file(system).substr(0, 9), "as it was");
}

CAF_TEST(the table of partitions is not written either) {
  auto data = image("data.img", "data", 65'536);
  auto console =
    run(guest_plan{"disks", "crosvisor.from=vda1 crosvisor.to=vda crosvisor.write=by-the-guest"}
          .disk_of_partitions(true)
          .partition("data", data, true));
  check_has(console, "demo: vda can't be written");
}

CAF_TEST(a sparse image is read as what it stands for) {
  auto path = scratch().write("sparse.img", sparse_image("within a sparse image"));
  auto console = run(guest_plan{"disks", "crosvisor.from=vda1"}.disk_of_partitions(false).partition(
    "sparse", path, false, image_format::sparse));
  check_has(console, "demo: vda1 text within a sparse image");
}

CAF_TEST_FIXTURE_SCOPE_END()
