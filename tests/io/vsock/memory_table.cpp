// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/memory_table.hpp"

#include "crosvisor/tests/io/vsock/guest_memory.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.memory_table

using namespace crosvisor;
using namespace crosvisor::io::vsock;
using namespace crosvisor::tests;

namespace {

io::result<memory_table> map(const guest_memory& memory, std::vector<memory_region> regions) {
  std::vector<io::unique_fd> files;
  for (std::size_t i = 0; i < regions.size(); ++i)
    files.push_back(memory.copy());
  return memory_table::map(regions, files);
}

} // namespace

CAF_TEST(both kinds of addresses lead to the same memory) {
  guest_memory memory;
  auto table = map(memory, memory.regions());
  CAF_REQUIRE(table);
  store(memory.at(guest_memory::high_at + 8), std::uint64_t{0x1234});
  auto* by_vmm = table->at_vmm_address(guest_memory::high_vmm + 8, 8);
  CAF_REQUIRE(by_vmm != nullptr);
  CAF_CHECK_EQUAL(load<std::uint64_t>(by_vmm), 0x1234u);
  std::vector<iovec> pieces;
  CAF_CHECK(table->at_guest_address(guest_memory::high_at + 8, 8, pieces));
  CAF_CHECK(pieces.size() == 1 && pieces[0].iov_base == by_vmm);
}

CAF_TEST(a ring part lies within one region) {
  guest_memory memory;
  auto table = map(memory, memory.regions());
  auto end = guest_memory::low_vmm + guest_memory::low_size;
  CAF_CHECK(table->at_vmm_address(end - 8, 8) != nullptr);
  CAF_CHECK(table->at_vmm_address(end - 8, 9) == nullptr);
  CAF_CHECK(table->at_vmm_address(end, 0) == nullptr);
  CAF_CHECK(table->at_vmm_address(guest_memory::low_vmm - 1, 1) == nullptr);
  CAF_CHECK(table->at_vmm_address(guest_memory::low_vmm, ~0ull) == nullptr);
  CAF_CHECK(table->at_vmm_address(guest_memory::high_at, 8) == nullptr);
}

CAF_TEST(a buffer is split where regions meet and refused where there is none) {
  guest_memory memory;
  // As crosvm has them: one after the other for the guest, apart for the VMM.
  auto table =
    map(memory, {{0, 0xA0000, 0x7000'0000'0000, 0}, {0xA0000, 0x60000, 0x7200'0000'0000, 0xA0000}});
  std::vector<iovec> pieces;
  CAF_CHECK(table->at_guest_address(0xA0000 - 100, 300, pieces));
  CAF_CHECK(pieces.size() == 2 && pieces[0].iov_len == 100 && pieces[1].iov_len == 200);
  CAF_CHECK(!table->at_guest_address(0x100000 - 8, 9, pieces));
  CAF_CHECK(!table->at_guest_address(0x100000, 1, pieces));
  CAF_CHECK(!table->at_guest_address(~0ull - 3, 8, pieces));
}

CAF_TEST(regions that can not be are refused) {
  guest_memory memory;
  constexpr auto page = std::uint64_t{4096};
  CAF_CHECK(!map(memory, {}));
  CAF_CHECK(!map(memory, std::vector<memory_region>(33, {0, page, 0, 0})));
  CAF_CHECK(!map(memory, {{0, 0, 0, 0}}));
  CAF_CHECK(!map(memory, {{~0ull - 100, page, 0, 0}}));
  CAF_CHECK(!map(memory, {{0, page, ~0ull - 100, 0}}));
  CAF_CHECK(!map(memory, {{0, page, 0, ~0ull - 4095}}));
  CAF_CHECK(!map(memory, {{0, page, 0, 100}}));
  CAF_CHECK(!map(memory, {{0, page, 0, guest_memory::size}}));
  CAF_CHECK(!map(memory, {{0, guest_memory::size + 1, 0, 0}}));
  CAF_CHECK(!map(memory, {{0, 2 * page, 0, 0}, {page, page, 1 << 30, 2 * page}}));
  CAF_CHECK(map(memory, {{0, page, 0, 0}, {page, page, 1 << 30, page}}));
}

CAF_TEST(a file that may shrink is refused) {
  guest_memory loose{0};
  CAF_CHECK(!map(loose, loose.regions()));
  guest_memory sealed{F_SEAL_SHRINK};
  CAF_CHECK(map(sealed, sealed.regions()));
  memory_region region{0, 4096, 0, 0};
  io::unique_fd pipes[2];
  int fds[2];
  CAF_REQUIRE_EQUAL(::pipe(fds), 0);
  pipes[1].reset(fds[1]);
  pipes[0].reset(fds[0]);
  CAF_CHECK(!memory_table::map({&region, 1}, {pipes, 1}));
}

CAF_TEST(regions and files are as many) {
  guest_memory memory;
  auto regions = memory.regions();
  std::vector<io::unique_fd> files;
  files.push_back(memory.copy());
  CAF_CHECK(!memory_table::map(regions, files));
}
