// SPDX-License-Identifier: Apache-2.0
#include "verity.hpp"

#include "device_mapper.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace crosvisor::guest {

namespace {

constexpr std::uint64_t hashes_per_block = verity_block / idsig_header::hash_size;
constexpr std::uint64_t sectors_per_block = verity_block / 512;

/// The Merkle tree puts the salt into a whole block of SHA-256's own before what it hashes.
constexpr std::size_t padded_salt = 64;

using hash_text = char[2 * padded_salt + 1];

void write_hex(char* text, const unsigned char* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    std::snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/// What stands before an idsig's tree, from its partition.
outcome load_header(int fd, const partition& idsig, idsig_header& header) {
  static unsigned char front[most_idsig_header];
  auto size = read_front(fd, front, sizeof front);
  if (size < 0)
    return wrong_by_errno(cause::unknown, "can't read %s", idsig.path);
  return read_idsig({front, static_cast<std::size_t>(size)}, header);
}

/// The device of the tree. Where there is none, any that can be read does: nothing is looked up.
outcome open_tree(int fd, const idsig_header& header, const partition& apk, char (&path)[48]) {
  std::snprintf(path, sizeof path, "%s", apk.path);
  if (header.tree_size > 0
      && !make_loop(fd, header.tree_offset, header.tree_size, path, sizeof path))
    return wrong_by_errno(cause::unknown, "can't make a device of the idsig's tree");
  return {};
}

outcome map(const idsig_header& header, const partition& apk, int idsig, verified_apk& made) {
  char tree[48];
  char table[768];
  if (auto opened = open_tree(idsig, header, apk, tree); !opened.good())
    return opened;
  write_hex(made.root_hash, header.root_hash, sizeof header.root_hash);
  if (!write_table(table, sizeof table, apk.path, tree, made.blocks, header)
      || !make_mapped(made.name, "verity", made.blocks * sectors_per_block, table, made.path,
                      sizeof made.path))
    return wrong_by_errno(cause::unknown, "can't set up dm-verity for %s", apk.path);
  return {};
}

} // namespace

std::uint64_t tree_size_of(std::uint64_t blocks) {
  std::uint64_t size = 0;
  while (blocks > 1) {
    blocks = (blocks + hashes_per_block - 1) / hashes_per_block;
    size += blocks * verity_block;
  }
  return size;
}

outcome check_sizes(const idsig_header& header, std::uint64_t apk_bytes,
                    std::uint64_t idsig_bytes) {
  auto blocks = apk_bytes / verity_block;
  if (blocks == 0 || apk_bytes % verity_block != 0)
    return wrong(cause::verification_failed,
                 "the APK's partition has %llu bytes, which are no blocks of 4096",
                 static_cast<unsigned long long>(apk_bytes));
  if (header.tree_size != tree_size_of(blocks))
    return wrong(cause::verification_failed,
                 "the idsig is of another APK: its tree has %llu bytes, and the APK's %llu blocks"
                 " have one of %llu",
                 static_cast<unsigned long long>(header.tree_size),
                 static_cast<unsigned long long>(blocks),
                 static_cast<unsigned long long>(tree_size_of(blocks)));
  if (header.tree_offset > idsig_bytes || header.tree_size > idsig_bytes - header.tree_offset)
    return wrong(cause::verification_failed, "the idsig is cut short within its tree");
  return {};
}

bool write_table(char* text, std::size_t most, const char* data, const char* hashes,
                 std::uint64_t blocks, const idsig_header& header) {
  hash_text root = "";
  hash_text salt = "-";
  write_hex(root, header.root_hash, sizeof header.root_hash);
  if (header.salt_size > 0) {
    unsigned char padded[padded_salt] = {};
    std::memcpy(padded, header.salt, header.salt_size);
    write_hex(salt, padded, sizeof padded);
  }
  auto size = std::snprintf(text, most, "1 %s %s %llu %llu %llu 0 sha256 %s %s", data, hashes,
                            static_cast<unsigned long long>(verity_block),
                            static_cast<unsigned long long>(verity_block),
                            static_cast<unsigned long long>(blocks), root, salt);
  return size > 0 && static_cast<std::size_t>(size) < most;
}

outcome open_verified(const char* name, const partition& apk, const partition& idsig,
                      verified_apk& made) {
  idsig_header header;
  auto apk_fd = open_partition(apk, O_RDONLY);
  auto idsig_fd = open_partition(idsig, O_RDONLY);
  auto apk_size = size_of(apk_fd);
  auto idsig_size = size_of(idsig_fd);
  ::close(apk_fd);
  if (apk_size < 0 || idsig_size < 0) {
    ::close(idsig_fd);
    return wrong_by_errno(cause::unknown, "can't open %s and %s", apk.path, idsig.path);
  }
  std::snprintf(made.name, sizeof made.name, "%s", name);
  made.blocks = static_cast<std::uint64_t>(apk_size) / verity_block;
  auto opened = load_header(idsig_fd, idsig, header);
  if (opened.good())
    opened = check_sizes(header, static_cast<std::uint64_t>(apk_size),
                         static_cast<std::uint64_t>(idsig_size));
  if (opened.good())
    opened = map(header, apk, idsig_fd, made);
  ::close(idsig_fd); // The loop device has one of its own.
  return opened;
}

outcome read_whole(const verified_apk& apk) {
  constexpr std::size_t piece = 1u << 20;
  auto fd = ::open(apk.path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return wrong_by_errno(cause::unknown, "can't open %s", apk.path);
  auto* buffer = static_cast<char*>(std::malloc(piece));
  std::uint64_t done = 0;
  ssize_t got = 1;
  while (buffer != nullptr && got > 0) {
    got = ::read(fd, buffer, piece);
    done += got > 0 ? static_cast<std::uint64_t>(got) : 0;
  }
  auto why = errno;
  std::free(buffer);
  ::close(fd);
  errno = why;
  if (got < 0)
    return wrong_by_errno(cause::verification_failed,
                          "block %llu of the APK's %llu is not what"
                          " the idsig says",
                          static_cast<unsigned long long>(done / verity_block),
                          static_cast<unsigned long long>(apk.blocks));
  if (done != apk.blocks * verity_block || !is_sound(apk))
    return wrong(cause::verification_failed, "the APK can't be read to its end");
  return {};
}

bool is_sound(const verified_apk& apk) {
  char status[64];
  return mapped_status(apk.name, status, sizeof status) && status[0] == 'V';
}

} // namespace crosvisor::guest
