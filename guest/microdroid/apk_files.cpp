// SPDX-License-Identifier: Apache-2.0
#include "apk_files.hpp"

#include "../vsock/stream.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include <cerrno>
#include <cstdio>

namespace crosvisor::guest {

namespace {

constexpr auto room = "/mnt";

bool make_folder(const char* path) {
  return ::mkdir(path, 0755) == 0 || errno == EEXIST;
}

/// What is left of it, in bytes.
unsigned long long space_left() {
  struct statvfs about;
  return ::statvfs(room, &about) == 0
           ? static_cast<unsigned long long>(about.f_bavail) * about.f_frsize
           : 0;
}

} // namespace

outcome make_room() {
  struct sysinfo memory;
  char options[48];
  if (::sysinfo(&memory) != 0)
    return wrong_by_errno(cause::unknown, "can't tell how much memory is free");
  std::snprintf(options, sizeof options, "mode=755,size=%llu",
                static_cast<unsigned long long>(memory.freeram) * memory.mem_unit / 2);
  if (!make_folder(room) || ::mount("tmpfs", room, "tmpfs", MS_NODEV | MS_NOSUID, options) != 0
      || !make_folder("/mnt/extra-apk"))
    return wrong_by_errno(cause::unknown, "can't make %s", room);
  return {};
}

outcome unpack(const verified_apk& apk, const char* folder) {
  constexpr unsigned long long too_little = 65536;
  if (!make_folder(folder))
    return wrong_by_errno(cause::unknown, "can't make %s", folder);
  const char* words[] = {"/bin/busybox", "unzip", "-q", "-o", apk.path, "-d", folder, nullptr};
  auto code = run_program(const_cast<char* const*>(words), -1);
  // What was read again, since it was no longer in memory, is verified again.
  if (!is_sound(apk))
    return wrong(cause::verification_failed, "the APK has changed while it was read");
  if (code == 0)
    return {};
  if (auto left = space_left(); left < too_little)
    return wrong(cause::unknown, "the files of the APK do not fit into the guest's memory");
  return wrong(cause::verification_failed, "the APK is no ZIP file that can be unpacked");
}

} // namespace crosvisor::guest
