// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vmm/image_header.hpp"

namespace crosvisor::io {

namespace {

result<void> check_raw(const image_header& header, vmm_kind vmm, const std::string& what) {
  if (vmm != vmm_kind::crosvm || header.magic == image_magic::none)
    return {};
  return failure{0, what + ": stated as raw, but its first bytes are those of "
                      + name_of(header.magic) + ", and crosvm goes by them; state its format, or "
                      + "use vmm \"qemu\""};
}

result<void> check_qcow2(const image_header& header, vmm_kind vmm, const std::string& what) {
  if (header.magic != image_magic::qcow2)
    return failure{0, what + ": stated as qcow2, but it is none; it looks like "
                        + name_of(header.magic)};
  if (header.backing_file)
    return failure{0, what
                        + ": is a qcow2 with a backing file, which is never followed; make it "
                          "whole with `qemu-img convert -O qcow2`"};
  if (header.data_file)
    return failure{0, what
                        + ": is a qcow2 with an external data file, which is never followed; "
                          "make it whole with `qemu-img convert -O qcow2`"};
  // crosvm reads version 3 alone (disk/src/qcow/mod.rs).
  if (header.version == 3 || (header.version == 2 && vmm == vmm_kind::qemu))
    return {};
  return failure{0, what + ": is a qcow2 of version " + std::to_string(header.version) + ", which "
                      + to_string(vmm) + " doesn't read; convert it with "
                      + "`qemu-img convert -O qcow2 -o compat=1.1`"};
}

} // namespace

result<void> check_image(int fd, image_format format, vmm_kind vmm, const std::string& what) {
  auto header = read_image_header(fd);
  if (!header)
    return failure{header.why().code, what + ": " + header.why().what};
  return format == image_format::raw ? check_raw(*header, vmm, what)
                                     : check_qcow2(*header, vmm, what);
}

} // namespace crosvisor::io
