// SPDX-License-Identifier: Apache-2.0
#include "program_file.hpp"

#include <sys/stat.h>

#include <cstring>

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

constexpr int most_headers = 64;
constexpr int most_entries = 1024;

/// @returns whether all of it could be read.
template <class T>
bool read_at(int fd, T& value, std::uint64_t at) {
  return at <= INT64_MAX
         && ::pread(fd, &value, sizeof value, static_cast<off_t>(at))
              == static_cast<ssize_t>(sizeof value);
}

bool is_marked_as_program(int fd, const Elf64_Phdr& dynamic) {
  for (auto i = 0; i < most_entries; ++i) {
    Elf64_Dyn entry;
    if (!read_at(fd, entry, dynamic.p_offset + static_cast<std::uint64_t>(i) * sizeof entry)
        || entry.d_tag == DT_NULL)
      return false;
    if (entry.d_tag == DT_FLAGS_1)
      return (entry.d_un.d_val & DF_1_PIE) != 0;
  }
  return false;
}

program_kind kind_of_elf(int fd) {
  Elf64_Ehdr head;
  if (!read_at(fd, head, 0) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0
      || head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_type != ET_DYN)
    return program_kind::program;
  for (auto i = 0; i < head.e_phnum && i < most_headers; ++i) {
    Elf64_Phdr piece;
    if (!read_at(fd, piece, head.e_phoff + static_cast<std::uint64_t>(i) * sizeof piece))
      break;
    if (piece.p_type == PT_INTERP
        || (piece.p_type == PT_DYNAMIC && is_marked_as_program(fd, piece)))
      return program_kind::program;
  }
  return program_kind::library;
}

} // namespace

program_kind kind_of_program(const char* path) {
  auto fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return program_kind::none;
  struct stat about;
  auto is_file = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
  auto kind = is_file ? kind_of_elf(fd) : program_kind::none;
  ::close(fd);
  return kind;
}

} // namespace crosvisor::guest
