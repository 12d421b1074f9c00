// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/microdroid/program_file.hpp"

#include "../../io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <cstring>
#include <string>

#include <elf.h>

#undef CAF_SUITE
#define CAF_SUITE guest.microdroid.program_file

using namespace crosvisor::guest;

namespace {

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// An ELF file of one piece, and behind it, in the place that the piece names, one dynamic entry.
std::string elf(unsigned type, unsigned piece_type, std::int64_t tag = DT_NULL,
                std::uint64_t value = 0) {
  Elf64_Ehdr head{};
  std::memcpy(head.e_ident, ELFMAG, SELFMAG);
  head.e_ident[EI_CLASS] = ELFCLASS64;
  head.e_type = static_cast<Elf64_Half>(type);
  head.e_phoff = sizeof head;
  head.e_phnum = 1;
  Elf64_Phdr piece{};
  piece.p_type = piece_type;
  piece.p_offset = sizeof head + sizeof piece;
  Elf64_Dyn entry{};
  entry.d_tag = tag;
  entry.d_un.d_val = value;
  return bytes_of(head) + bytes_of(piece) + bytes_of(entry);
}

program_kind kind_of(const std::string& content) {
  crosvisor::tests::temp_dir dir;
  return kind_of_program(dir.write("program", content).c_str());
}

} // namespace

CAF_TEST(a shared object wants a launcher) {
  CAF_CHECK(kind_of(elf(ET_DYN, PT_DYNAMIC)) == program_kind::library);
  CAF_CHECK(kind_of(elf(ET_DYN, PT_DYNAMIC, DT_FLAGS_1, DF_1_NOW)) == program_kind::library);
  CAF_CHECK(kind_of(elf(ET_DYN, PT_LOAD)) == program_kind::library);
}

CAF_TEST(programs are run as they are) {
  CAF_CHECK(kind_of(elf(ET_EXEC, PT_LOAD)) == program_kind::program);
  CAF_CHECK(kind_of(elf(ET_DYN, PT_INTERP)) == program_kind::program);
  CAF_CHECK(kind_of(elf(ET_DYN, PT_DYNAMIC, DT_FLAGS_1, DF_1_PIE)) == program_kind::program);
  CAF_CHECK(kind_of("#!/bin/busybox sh\n") == program_kind::program);
  CAF_CHECK(kind_of("") == program_kind::program);
  CAF_CHECK(kind_of_program("/proc/self/exe") == program_kind::program);
}

CAF_TEST(what leads out of the file leads nowhere) {
  auto whole = elf(ET_DYN, PT_DYNAMIC, DT_FLAGS_1, DF_1_PIE);
  CAF_CHECK(kind_of(whole.substr(0, whole.size() - 1)) == program_kind::library);
  CAF_CHECK(kind_of(whole.substr(0, sizeof(Elf64_Ehdr))) == program_kind::library);
  Elf64_Ehdr head;
  std::memcpy(&head, whole.data(), sizeof head);
  head.e_phoff = ~std::uint64_t{0} - 10;
  CAF_CHECK(kind_of(bytes_of(head)) == program_kind::library);
}

CAF_TEST(what is no file is none) {
  CAF_CHECK(kind_of_program("/no/such/file") == program_kind::none);
  CAF_CHECK(kind_of_program("/proc") == program_kind::none);
}
