// SPDX-License-Identifier: Apache-2.0
// What Android's microdroid_manager does, for the demo guest: verifies an APK, runs the payload in
// it, tells the host. docs/guest-protocol.md has it in words.
#include "apk_files.hpp"
#include "host.hpp"
#include "identity.hpp"
#include "metadata.hpp"
#include "partition.hpp"
#include "payload.hpp"
#include "verity.hpp"

#include <algorithm>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace {

using namespace crosvisor::guest;

/// How long the host's disks may take to come, in milliseconds: Android's bound.
constexpr int disk_bound = 10'000;

/// Android has no bound; the identity has room for so many.
constexpr std::uint32_t most_extra_apks = 64;

/// A line on the console.
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...) {
  char line[600] = "microdroid: ";
  va_list rest;
  va_start(rest, format);
  auto begin = std::strlen(line);
  std::vsnprintf(line + begin, sizeof line - begin, format, rest);
  va_end(rest);
  ::dprintf(STDOUT_FILENO, "%s\n", line);
}

/// What the instance image keeps: a line for each APK.
struct identity_text {
  char text[most_identity] = "crosvisor payload 1\n";
  std::size_t size = std::strlen(text);

  void add(const char* what, const char* root_hash) {
    auto written = std::snprintf(text + size, sizeof text - size, "%s %s\n", what, root_hash);
    size += std::min(static_cast<std::size_t>(written), sizeof text - size - 1);
  }
};

outcome load_metadata(payload_metadata& metadata) {
  partition found;
  if (auto come = await_partition("payload-metadata", disk_bound, found); !come.good())
    return come;
  auto fd = open_partition(found, O_RDONLY);
  // It stays: the metadata points into it.
  auto* bytes = static_cast<unsigned char*>(std::malloc(most_metadata + 4));
  auto size = fd < 0 || bytes == nullptr ? -1 : read_front(fd, bytes, most_metadata + 4);
  ::close(fd);
  if (size < 0)
    return wrong_by_errno(cause::unknown, "can't read %s", found.path);
  return read_metadata({bytes, static_cast<std::size_t>(size)}, metadata);
}

/// Opens an APK, reads all of it, and unpacks it.
outcome take_apk(const char* name, std::string_view apk_label, std::string_view idsig_label,
                 const char* folder, identity_text& identity, verified_apk& verified) {
  partition apk;
  partition idsig;
  auto done = await_partition(apk_label, disk_bound, apk);
  if (done.good())
    done = await_partition(idsig_label, disk_bound, idsig);
  if (done.good())
    done = open_verified(name, apk, idsig, verified);
  if (done.good())
    done = read_whole(verified);
  if (done.good())
    done = unpack(verified, folder);
  if (!done.good())
    return done;
  identity.add(name, verified.root_hash);
  say("%s: %llu blocks of %s are those of root hash %s; files in %s", name,
      static_cast<unsigned long long>(verified.blocks), apk.path, verified.root_hash, folder);
  return done;
}

/// As many as the metadata tells; where a configuration tells it, as many as there are.
outcome take_extra_apks(const payload_metadata& metadata, identity_text& identity) {
  for (std::uint32_t i = 0; i < most_extra_apks; ++i) {
    char apk[32], idsig[32], folder[48];
    std::snprintf(apk, sizeof apk, "extra-apk-%u", i);
    std::snprintf(idsig, sizeof idsig, "extra-idsig-%u", i);
    std::snprintf(folder, sizeof folder, "/mnt/extra-apk/%u", i);
    if (i >= metadata.extra_apks && !find_partition(apk).found())
      return {};
    verified_apk verified;
    if (auto taken = take_apk(apk, apk, idsig, folder, identity, verified); !taken.good())
      return taken;
  }
  return wrong(cause::invalid_config, "there are more than %u extra APKs", most_extra_apks);
}

/// Compares with what an earlier run left, or leaves it.
outcome recognise(const identity_text& identity) {
  auto instance = find_partition("vm-instance");
  if (!instance.found()) {
    say("there is no partition vm-instance: nothing is kept of this payload");
    return {};
  }
  auto fd = open_partition(instance, O_RDWR);
  if (fd < 0)
    return wrong_by_errno(cause::unknown, "can't open the instance image %s", instance.path);
  auto kept = keep_identity(fd, {identity.text, identity.size});
  ::close(fd);
  return kept;
}

outcome prepare(payload& found) {
  payload_metadata metadata;
  identity_text identity;
  verified_apk verified;
  auto done = load_metadata(metadata);
  if (done.good())
    done = make_room();
  if (done.good())
    done = take_apk("microdroid-apk", metadata.apk_label, metadata.idsig_label, apk_folder,
                    identity, verified);
  if (done.good())
    done = take_extra_apks(metadata, identity);
  if (done.good())
    done = recognise(identity);
  if (done.good())
    done = find_payload(metadata, found);
  // What the payload may want to know.
  if (done.good())
    ::setenv("MICRODROID_APK_ROOT_HASH", verified.root_hash, 1);
  return done;
}

} // namespace

int main(int count, char** words) {
  static payload found;
  host told{count > 1 && std::strcmp(words[1], "--vsock") == 0};
  std::signal(SIGPIPE, SIG_IGN);
  if (auto prepared = prepare(found); !prepared.good()) {
    say("%s", prepared.message);
    told.tell_error(prepared);
    return 1;
  }
  say("running %s", found.path);
  told.tell_started();
  auto code = run_payload(found, told.has_vsock);
  say("the payload exited %d", code);
  told.tell_finished(code);
  return 0;
}
