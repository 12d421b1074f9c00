// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/vm_memory.hpp"

#include "crosvisor/io/file_bytes.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

namespace crosvisor::io {

namespace {

std::uint64_t number_in(const std::string& path) {
  std::uint64_t number = 0;
  std::ifstream{path} >> number;
  return number;
}

/// The size of those huge pages that are taken where none is named.
std::uint64_t default_page_kib(const std::string& meminfo) {
  std::ifstream from{meminfo};
  std::uint64_t kib = 0;
  for (std::string key; from >> key;)
    if (key == "Hugepagesize:" && from >> kib)
      break;
  return kib;
}

/// Those that can be had: what is free and promised to nobody, and what the kernel may add.
std::uint64_t free_pages(const std::string& pool) {
  auto at_most = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; };
  return at_most(number_in(pool + "/free_hugepages"), number_in(pool + "/resv_hugepages"))
         + at_most(number_in(pool + "/nr_overcommit_hugepages"),
                   number_in(pool + "/surplus_hugepages"));
}

result<void> check_reserved(std::uint32_t memory_mib, const std::string& mm,
                            const std::string& meminfo) {
  auto page_kib = default_page_kib(meminfo);
  if (page_kib == 0)
    return failure{0, "hugepages: this host's kernel has none"};
  auto kib = std::uint64_t{memory_mib} << 10;
  if (kib % page_kib != 0)
    return failure{0, "hugepages: " + std::to_string(memory_mib)
                        + " MiB of memory are no whole number of the host's huge pages of "
                        + std::to_string(page_kib) + " KiB"};
  auto needed = kib / page_kib;
  auto has = free_pages(mm + "/hugepages/hugepages-" + std::to_string(page_kib) + "kB");
  if (has >= needed)
    return {};
  return failure{0, "hugepages: " + std::to_string(needed) + " of " + std::to_string(page_kib)
                      + " KiB are needed and " + std::to_string(has)
                      + " are free; raise vm.nr_hugepages"};
}

/// crosvm's guest memory is a memory file, of which the kernel makes huge pages on advice only if
/// this says so.
result<void> check_transparent(const std::string& mm) {
  auto path = mm + "/transparent_hugepage/shmem_enabled";
  std::string words;
  std::getline(std::ifstream{path}, words);
  for (const auto* on : {"[always]", "[within_size]", "[advise]", "[force]"})
    if (words.find(on) != words.npos)
      return {};
  return failure{0, "hugepages: the host's kernel makes none of crosvm's memory; write \"advise\" "
                    "to "
                      + path + ", or use vmm \"qemu\""};
}

} // namespace

result<void> check_hugepages(vmm_kind vmm, std::uint32_t memory_mib, const std::string& mm,
                             const std::string& meminfo) {
  return vmm == vmm_kind::crosvm ? check_transparent(mm) : check_reserved(memory_mib, mm, meminfo);
}

result<pstore_memory> pstore_memory::copy(int file) {
  pstore_memory made;
  struct stat is;
  if (::fstat(file, &is) != 0)
    return last_failure("pstore");
  auto bytes = read_at(file, 0, static_cast<std::size_t>(is.st_size));
  if (!bytes)
    return failure{bytes.why().code, "pstore: " + bytes.why().what};
  made.size_bytes_ = bytes->size();
  made.file_.reset(::fcntl(file, F_DUPFD_CLOEXEC, 3));
  // It is for everybody who has its descriptor, so the VM's user can open it.
  made.memory_.reset(::memfd_create("pstore", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!made.file_ || !made.memory_)
    return last_failure("pstore");
  if (auto written = write_at(made.memory_.get(), 0, *bytes); !written)
    return failure{written.why().code, "pstore: " + written.why().what};
  // A VMM may map it and nothing else: without its end it would die of SIGBUS.
  if (::fcntl(made.memory_.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
    return last_failure("pstore");
  return made;
}

result<void> pstore_memory::write_back() const {
  auto bytes = read_at(memory_.get(), 0, size_bytes_);
  if (!bytes)
    return bytes.why();
  return write_at(file_.get(), 0, *bytes);
}

} // namespace crosvisor::io
