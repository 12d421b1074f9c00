// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/idsig_tree.hpp"

#include "crosvisor/io/apk/block_hasher.hpp"
#include "crosvisor/io/apk/signing_block.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace crosvisor::io {

namespace {

using problems = std::vector<std::string>;

constexpr std::size_t hash_bytes = sha256_hash{}.size();
/// Hashes in a block of the tree.
constexpr std::uint64_t fan_out = merkle_block_bytes / hash_bytes;
/// As for those that are digested: a ZIP file without ZIP64.
constexpr std::uint64_t max_apk_bytes = std::uint64_t{1} << 32;

/// The blocks of each level, the lowest first.
std::vector<std::uint64_t> levels_above(std::uint64_t lowest) {
  std::vector<std::uint64_t> levels{lowest};
  while (levels.back() > 1)
    levels.push_back((levels.back() + fan_out - 1) / fan_out);
  return levels;
}

std::uint64_t sum(const std::vector<std::uint64_t>& levels) {
  std::uint64_t blocks = 0;
  for (auto level : levels)
    blocks += level;
  return blocks;
}

/// The levels of a tree of so many blocks, which is one at least; empty: no tree has so many. Each
/// size of the lowest level makes another sum.
std::vector<std::uint64_t> levels_of(std::uint64_t blocks) {
  std::uint64_t low = 1, high = blocks;
  while (low < high) {
    auto middle = low + (high - low) / 2;
    auto enough = sum(levels_above(middle)) >= blocks;
    (enough ? high : low) = enough ? middle : middle + 1;
  }
  auto levels = levels_above(low);
  return sum(levels) == blocks ? levels : std::vector<std::uint64_t>{};
}

result<void> read_whole(int fd, void* to, std::size_t size, std::uint64_t offset) {
  auto got = read_some_at(fd, offset, {static_cast<char*>(to), size});
  if (!got)
    return got.why();
  if (*got != size)
    return failure{0, "has become shorter while it was read"};
  return {};
}

class tree_check {
public:
  tree_check(int fd, const idsig& of) : fd_(fd), of_(of), begin_(serialize(of).size()) {}

  result<problems> run() {
    auto blocks = of_.tree_bytes / merkle_block_bytes;
    if (blocks == 0)
      return std::move(found_);
    levels_ = levels_of(blocks);
    if (levels_.empty()) {
      complain("its tree has " + std::to_string(blocks) + " blocks, which no file's tree has");
      return std::move(found_);
    }
    for (std::size_t level = 0; level < levels_.size(); ++level)
      if (auto done = check_level(level); !done)
        return done.why();
    if (!hasher_.ok())
      return failure{EIO, "OpenSSL can't compute SHA-256"};
    return std::move(found_);
  }

private:
  void complain(const std::string& what) {
    if (found_.size() < max_tree_problems)
      found_.push_back(what);
  }

  std::string place(std::size_t level, std::uint64_t block) const {
    return "its tree's level " + std::to_string(level + 1) + ", block " + std::to_string(block)
           + ": ";
  }

  std::uint64_t offset_of(std::size_t level) const {
    std::uint64_t above = 0;
    for (auto i = level + 1; i < levels_.size(); ++i)
      above += levels_[i];
    return begin_ + above * merkle_block_bytes;
  }

  bool is_highest(std::size_t level) const { return level + 1 == levels_.size(); }

  /// As many blocks at a time as the level above has hashes of in one.
  result<void> check_level(std::size_t level) {
    for (std::uint64_t first = 0; first < levels_[level]; first += fan_out) {
      auto count = std::min(fan_out, levels_[level] - first);
      blocks_.resize(count * merkle_block_bytes);
      if (auto read = read_whole(fd_, blocks_.data(), blocks_.size(),
                                 offset_of(level) + first * merkle_block_bytes);
          !read)
        return read;
      if (auto read = read_stated(level, first / fan_out); !read)
        return read;
      check_blocks(level, first, count);
    }
    return {};
  }

  result<void> read_stated(std::size_t level, std::uint64_t block) {
    if (!is_highest(level))
      return read_whole(fd_, stated_.data(), stated_.size(),
                        offset_of(level + 1) + block * merkle_block_bytes);
    std::copy(of_.root_hash.begin(), of_.root_hash.end(), stated_.begin());
    return {};
  }

  void check_blocks(std::size_t level, std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      sha256_hash hash;
      hasher_.hash(blocks_.data() + i * merkle_block_bytes, merkle_block_bytes, hash.data());
      if (std::memcmp(hash.data(), stated_.data() + i * hash_bytes, hash.size()) != 0)
        complain(place(level, first + i) + "is not what "
                 + (is_highest(level) ? "the root hash" : "level " + std::to_string(level + 2))
                 + " states");
    }
    auto rest = std::string_view{stated_}.substr(count * hash_bytes);
    if (!is_highest(level) && rest.find_first_not_of('\0') != rest.npos)
      complain(place(level + 1, first / fan_out) + "does not end in zeros");
  }

  const int fd_;
  const idsig& of_;
  const std::uint64_t begin_;
  const sha256_algorithm algorithm_ = fetch_sha256();
  block_hasher hasher_{algorithm_.get(), of_.salt};
  std::vector<std::uint64_t> levels_; // In blocks, the lowest first.
  std::string blocks_;
  std::string stated_ = std::string(merkle_block_bytes, '\0');
  problems found_;
};

/// The first byte in which a file differs, from `offset` on, or `bytes.size()`.
result<std::size_t> first_difference(int fd, std::uint64_t offset, std::string_view bytes) {
  std::string there(std::min<std::size_t>(bytes.size(), 1u << 20), '\0');
  for (std::size_t at = 0; at < bytes.size(); at += there.size()) {
    auto part = bytes.substr(at, there.size());
    if (auto read = read_whole(fd, there.data(), part.size(), offset + at); !read)
      return read.why();
    auto differs = std::mismatch(part.begin(), part.end(), there.begin()).first;
    if (differs != part.end())
      return at + static_cast<std::size_t>(differs - part.begin());
  }
  return bytes.size();
}

failure named(const char* which, const failure& why) {
  return {why.code, std::string{which} + " " + why.what};
}

void compare_digest(const idsig& of, const result<apk_signature>& signature, apk_match& match) {
  if (!signature) {
    match.problems.push_back("the APK " + signature.why().what);
    return;
  }
  match.digest = of.signing.apk_digest == signature->digest;
  if (!*match.digest)
    match.problems.emplace_back("its apk_digest is not that of the APK's signature");
}

result<void> compare_tree(int fd, const idsig& of, const merkle_tree& tree, apk_match& match) {
  auto before = match.problems.size();
  if (of.root_hash != tree.root)
    match.problems.push_back("its root hash is not that of the APK, " + to_hex(tree.root));
  if (of.tree_bytes != tree.levels.size()) {
    match.problems.push_back("its tree has " + std::to_string(of.tree_bytes)
                             + " bytes; that of the APK has " + std::to_string(tree.levels.size()));
    return {};
  }
  auto same = first_difference(fd, serialize(of).size(), tree.levels);
  if (!same)
    return same.why();
  if (*same != tree.levels.size())
    match.problems.push_back("its tree differs from that of the APK, first in byte "
                             + std::to_string(*same));
  match.tree = match.problems.size() == before;
  return {};
}

} // namespace

result<std::vector<std::string>> find_tree_problems(int fd, const idsig& of) {
  return tree_check{fd, of}.run();
}

result<apk_match> compare_with_apk(int fd, const idsig& of, int apk, const job_control& control) {
  struct stat is;
  if (::fstat(apk, &is) != 0)
    return named("the APK", last_failure("can't be read"));
  auto apk_bytes = static_cast<std::uint64_t>(is.st_size);
  if (!S_ISREG(is.st_mode) || apk_bytes > max_apk_bytes)
    return failure{0, "the APK is no regular file of at most 4 GiB"};
  apk_match match;
  compare_digest(of, read_apk_signature(apk, apk_bytes), match);
  auto tree = build_merkle_tree(apk, apk_bytes, of.salt, control);
  if (!tree)
    return named("the APK", tree.why());
  if (auto done = compare_tree(fd, of, *tree, match); !done)
    return done.why();
  return match;
}

} // namespace crosvisor::io
