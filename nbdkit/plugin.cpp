// SPDX-License-Identifier: Apache-2.0
// nbdkit-composite-plugin: serves a crosvm composite disk; see docs/composite-disks.md. The
// interface is that of nbdkit-plugin(3).
#include "crosvisor/io/disk/composite_reader.hpp"
#include "crosvisor/nbdkit/options.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <string>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace {

using namespace crosvisor;
using disk = std::shared_ptr<const io::composite_reader>;

// -- what all connections share ------------------------------------------------

/// The command line, and the disk as it was opened for it.
struct served_disk {
  std::string path; // Absolute.
  io::composite_options options;
  std::mutex mutex;
  disk read_only;
  disk writable;
};

served_disk served;

int report(const io::failure& why) {
  nbdkit_error("%s", why.what.c_str());
  nbdkit_set_error(why.code == 0 ? EINVAL : why.code);
  return -1;
}

/// Runs `task`, which returns an io::result<void>, for nbdkit, which knows no exceptions.
template <class Task>
int guarded(Task&& task) noexcept {
  try {
    auto done = task();
    return done ? 0 : report(done.why());
  } catch (const std::exception& error) { // No memory, as good as always.
    nbdkit_error("%s", error.what());
    nbdkit_set_error(ENOMEM);
    return -1;
  }
}

io::result<io::composite_reader> open_served(bool writable) {
  auto options = served.options;
  options.writable = writable;
  return io::composite_reader::open(served.path, options);
}

/// One for all connections, so that a flush on one of them is a flush of all.
io::result<disk> share_served(bool writable) {
  std::lock_guard lock{served.mutex};
  auto& shared = writable ? served.writable : served.read_only;
  if (!shared) {
    auto opened = open_served(writable);
    if (!opened)
      return opened.why();
    shared = std::make_shared<const io::composite_reader>(std::move(*opened));
  }
  return shared;
}

// -- the command line ----------------------------------------------------------

constexpr auto help = "[file=]FILE       (required) A crosvm composite disk.\n"
                      "sparse=auto|none|N,N,...\n"
                      "                  Which components hold Android sparse images: those that\n"
                      "                  begin as one, none, or those that name the inherited\n"
                      "                  descriptors N. (default: auto)";

io::result<void> set_file(const char* value) {
  // nbdkit changes its directory; a link such as /proc/self/fd/3 must stay one.
  std::unique_ptr<char, decltype(&std::free)> path{nbdkit_absolute_path(value), &std::free};
  if (!path)
    return io::failure{EINVAL, std::string{"file: no path: "} + value};
  served.path = path.get();
  return {};
}

int config(const char* key, const char* value) {
  return guarded([&]() -> io::result<void> {
    if (std::string_view{key} == "file")
      return set_file(value);
    if (std::string_view{key} != "sparse")
      return io::failure{EINVAL,
                         std::string{"unknown parameter "} + key + "; known are file and sparse"};
    auto sparse = nbdkit::parse_sparse(value);
    if (!sparse)
      return sparse.why();
    served.options.sparse = std::move(*sparse);
    return {};
  });
}

int config_complete() {
  return guarded([]() -> io::result<void> {
    if (served.path.empty())
      return io::failure{EINVAL, "no composite disk is named; use file=FILE"};
    return {};
  });
}

/// So that a disk which can't be opened is told of before anybody connects.
int get_ready() {
  return guarded([]() -> io::result<void> {
    auto opened = open_served(false);
    return opened ? io::result<void>{} : opened.why();
  });
}

void dump_plugin() {
  std::printf("composite_newest_version=2\ncomposite_component_formats=raw,sparse\n");
}

// -- a connection --------------------------------------------------------------

const io::composite_reader& reader(void* handle) {
  return **static_cast<disk*>(handle);
}

void* open_connection(int readonly) {
  disk* handle = nullptr;
  guarded([&]() -> io::result<void> {
    auto shared = share_served(readonly == 0);
    if (!shared)
      return shared.why();
    handle = new disk(std::move(*shared));
    return {};
  });
  return handle;
}

void close_connection(void* handle) {
  delete static_cast<disk*>(handle);
}

void unload() {
  served.read_only = nullptr;
  served.writable = nullptr;
}

std::int64_t get_size(void* handle) {
  return static_cast<std::int64_t>(reader(handle).size_bytes());
}

int can_write(void* handle) {
  return reader(handle).writable() ? 1 : 0;
}

int can_multi_conn(void*) {
  return 1;
}

int block_size(void*, std::uint32_t* minimum, std::uint32_t* preferred, std::uint32_t* maximum) {
  *minimum = 1;
  *preferred = 4096;
  *maximum = std::numeric_limits<std::uint32_t>::max();
  return 0;
}

int read_disk(void* handle, void* to, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return guarded([&] { return reader(handle).read({static_cast<char*>(to), count}, offset); });
}

int write_disk(void* handle, const void* from, std::uint32_t count, std::uint64_t offset,
               std::uint32_t) {
  return guarded([&] {
    return reader(handle).write({static_cast<const char*>(from), count}, offset);
  });
}

int flush_disk(void* handle, std::uint32_t) {
  return guarded([&] { return reader(handle).flush(); });
}

int trim_disk(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return guarded([&] { return reader(handle).trim(count, offset); });
}

int zero_disk(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t flags) {
  return guarded(
    [&] { return reader(handle).zero(count, offset, (flags & NBDKIT_FLAG_MAY_TRIM) != 0); });
}

int find_extents(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t flags,
                 nbdkit_extents* extents) {
  return guarded([&]() -> io::result<void> {
    auto added = 0;
    auto done = reader(handle).extents(count, offset, [&](const auto& one) {
      auto type = one.hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;
      added = nbdkit_add_extent(extents, one.offset, one.bytes, static_cast<std::uint32_t>(type));
      return added == 0 && (flags & NBDKIT_FLAG_REQ_ONE) == 0;
    });
    if (added != 0)
      return io::failure{errno, "extents: can't be told"};
    return done;
  });
}

// -- what nbdkit sees ----------------------------------------------------------

nbdkit_plugin make_plugin() {
  nbdkit_plugin made{};
  made.name = "composite";
  made.longname = "crosvm composite disks";
  made.version = CROSVISOR_VERSION;
  made.description = "Serves the disks that crosvm puts together from partitions' files. A "
                     "composite disk names files, which are opened with your rights.";
  made.config_help = help;
  made.magic_config_key = "file";
  made.dump_plugin = dump_plugin;
  made.config = config;
  made.config_complete = config_complete;
  made.get_ready = get_ready;
  made.unload = unload;
  made.open = open_connection;
  made.close = close_connection;
  made.get_size = get_size;
  made.block_size = block_size;
  made.can_write = can_write;
  made.can_multi_conn = can_multi_conn;
  made.pread = read_disk;
  made.pwrite = write_disk;
  made.flush = flush_disk;
  made.trim = trim_disk;
  made.zero = zero_disk;
  made.extents = find_extents;
  return made;
}

nbdkit_plugin plugin = make_plugin();

} // namespace

NBDKIT_REGISTER_PLUGIN(plugin)
