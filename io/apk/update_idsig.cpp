// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/update_idsig.hpp"

#include "crosvisor/io/apk/idsig.hpp"
#include "crosvisor/io/apk/merkle_tree.hpp"
#include "crosvisor/io/apk/signing_block.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

namespace crosvisor::io {

namespace {

/// What a ZIP file without ZIP64, as APKs are, can be.
constexpr std::uint64_t max_apk_bytes = std::uint64_t{1} << 32;
constexpr std::size_t version_bytes = 4;

failure named(const char* which, const failure& why) {
  return {why.code, std::string{which} + " " + why.what};
}

/// @param how O_RDONLY or O_RDWR: what is needed of it.
result<struct stat> check_file(int fd, int how) {
  struct stat is;
  auto flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fstat(fd, &is) != 0)
    return last_failure("can't be used");
  if (!S_ISREG(is.st_mode))
    return failure{0, "is not a regular file"};
  auto access = flags & O_ACCMODE;
  if ((flags & O_PATH) != 0 || (access != O_RDWR && access != how))
    return failure{0, how == O_RDWR ? "is not open for reading and writing"
                                    : "is not open for reading"};
  // Such a descriptor writes at the end, wherever it is told to.
  if (how == O_RDWR && (flags & O_APPEND) != 0)
    return failure{0, "is open for appending, so that nothing can be written to its beginning"};
  return is;
}

result<void> write_version_last(int fd, std::string header, std::string_view tree) {
  auto version = header.substr(0, version_bytes);
  header.replace(0, version_bytes, version_bytes, '\0');
  if (::ftruncate(fd, 0) != 0)
    return last_failure("can't be emptied");
  if (auto written = write_at(fd, 0, header); !written)
    return written;
  if (auto written = write_at(fd, header.size(), tree); !written)
    return written;
  // All is on the disk before that which makes it valid.
  if (::fdatasync(fd) != 0)
    return last_failure("can't be written to its disk");
  return write_at(fd, 0, version);
}

class update {
public:
  update(int apk, int to, std::uint64_t apk_bytes, const job_control& control)
      : apk_(apk), to_(to), apk_bytes_(apk_bytes), control_(control) {}

  result<idsig_info> run(const idsig_spec& spec) {
    if (apk_bytes_ > max_apk_bytes)
      return failure{0, "APK has " + std::to_string(apk_bytes_) + " bytes; at most "
                          + std::to_string(max_apk_bytes) + " are allowed"};
    auto signature = read_apk_signature(apk_, apk_bytes_);
    if (!signature)
      return named("APK", signature.why());
    if (signature->digest.empty() && !spec.allow_unsigned)
      return failure{0, "APK is not signed by APK signature scheme v3, since "
                          + signature->unsigned_because + "; only allow_unsigned takes it so"};
    if (auto current = read_current(*signature))
      return info(*current, true);
    return make(*signature);
  }

private:
  /// The one that is there, if it is this APK's.
  std::optional<idsig> read_current(const apk_signature& of) const {
    if (of.digest.empty())
      return {};
    auto there = read_idsig(to_);
    if (!there || there->signing.apk_digest != of.digest
        || there->tree_bytes != merkle_tree_bytes(apk_bytes_))
      return {};
    return *there;
  }

  result<idsig_info> make(const apk_signature& of) const {
    auto tree = build_merkle_tree(apk_, apk_bytes_, {}, control_);
    if (!tree)
      return tree.why().code == ECANCELED ? tree.why() : named("APK", tree.why());
    idsig made;
    made.root_hash = tree->root;
    made.tree_bytes = static_cast<std::uint32_t>(tree->levels.size());
    if (!of.digest.empty()) {
      made.signing.apk_digest = of.digest;
      made.signing.algorithm_id = of.algorithm_id;
    }
    if (control_.cancelled())
      return job_control::stopped();
    auto written = write_version_last(to_, serialize(made), tree->levels);
    if (!written)
      return named("idsig", written.why());
    return info(made, false);
  }

  idsig_info info(const idsig& from, bool was_current) const {
    return {was_current, apk_bytes_, from.tree_bytes, to_hex(from.root_hash),
            to_hex(from.signing.apk_digest)};
  }

  const int apk_;
  const int to_;
  const std::uint64_t apk_bytes_;
  const job_control& control_;
};

} // namespace

result<idsig_info> update_idsig(int apk, int idsig, const idsig_spec& spec,
                                const job_control& control) {
  auto to = check_file(idsig, O_RDWR);
  if (!to)
    return named("idsig", to.why());
  auto from = check_file(apk, O_RDONLY);
  if (from && from->st_dev == to->st_dev && from->st_ino == to->st_ino)
    return failure{0, "idsig and APK are the same file"};
  auto done = from
                ? update{apk, idsig, static_cast<std::uint64_t>(from->st_size), control}.run(spec)
                : result<idsig_info>{named("APK", from.why())};
  // Should this fail as well, then what is there has no version yet, or is an older file's.
  if (!done && ::ftruncate(idsig, 0) != 0)
    return failure{done.why().code, done.why().what + "; and the idsig can't be emptied"};
  return done;
}

} // namespace crosvisor::io
