// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/memory_table.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace crosvisor::io::vsock {

namespace {

bool wraps(std::uint64_t start, std::uint64_t size) noexcept {
  return start + size < start;
}

failure bad(const char* what) {
  return {0, std::string{"memory table: "} + what};
}

result<void> check_file(const memory_region& region, int fd) {
  auto seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
    return bad("a file is not sealed against shrinking");
  // fstat(3) is newfstatat(2) in glibc, which takes paths; the sandbox allows none.
  struct stat about;
  if (::syscall(SYS_fstat, fd, &about) != 0)
    return last_failure("memory table: fstat");
  if (static_cast<std::uint64_t>(about.st_size) < region.file_offset + region.size)
    return bad("a file is shorter than its region");
  return {};
}

result<void> check(const memory_region& region, int fd) {
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (region.size == 0)
    return bad("a region is empty");
  if (wraps(region.guest_address, region.size) || wraps(region.vmm_address, region.size)
      || wraps(region.file_offset, region.size) || region.file_offset + region.size > INT64_MAX)
    return bad("a region wraps");
  if (region.file_offset % page != 0)
    return bad("a file offset is not at a page");
  return check_file(region, fd);
}

bool overlap(const memory_region& a, const memory_region& b) noexcept {
  return a.guest_address < b.guest_address + b.size && b.guest_address < a.guest_address + a.size;
}

} // namespace

memory_table::mapping::~mapping() {
  if (base_ != nullptr)
    ::munmap(base_, region_.size);
}

result<memory_table> memory_table::map(std::span<const memory_region> regions,
                                       std::span<const unique_fd> files) {
  if (regions.empty() || regions.size() > max_regions || regions.size() != files.size())
    return bad("wrong number of regions or files");
  memory_table table;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    auto& region = regions[i];
    if (auto checked = check(region, files[i].get()); !checked)
      return checked.why();
    for (auto& other : table.mappings_)
      if (overlap(region, other.region()))
        return bad("regions overlap");
    auto* base = ::mmap(nullptr, region.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                        files[i].get(), static_cast<off_t>(region.file_offset));
    if (base == MAP_FAILED)
      return last_failure("memory table: mmap");
    table.mappings_.emplace_back(region, static_cast<std::byte*>(base));
    ::madvise(base, region.size, MADV_DONTDUMP);
  }
  return table;
}

std::byte* memory_table::at_vmm_address(std::uint64_t address, std::uint64_t size) const noexcept {
  for (auto& mapped : mappings_) {
    auto& region = mapped.region();
    auto offset = address - region.vmm_address;
    if (address >= region.vmm_address && offset < region.size && size <= region.size - offset)
      return mapped.base() + offset;
  }
  return nullptr;
}

bool memory_table::at_guest_address(std::uint64_t address, std::uint64_t size,
                                    std::vector<iovec>& pieces) const {
  if (wraps(address, size))
    return false;
  while (size > 0) {
    auto holds = [address](const mapping& m) {
      return address >= m.region().guest_address
             && address - m.region().guest_address < m.region().size;
    };
    auto found = std::find_if(mappings_.begin(), mappings_.end(), holds);
    if (found == mappings_.end())
      return false;
    auto offset = address - found->region().guest_address;
    auto part = std::min(size, found->region().size - offset);
    pieces.push_back({found->base() + offset, part});
    address += part;
    size -= part;
  }
  return true;
}

} // namespace crosvisor::io::vsock
