// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/apk/merkle_tree.hpp"

#include "crosvisor/io/apk/block_hasher.hpp"
#include "crosvisor/io/blocked_signals.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace crosvisor::io {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t hash_bytes = sha256_hash{}.size();
/// Hashes in a block of the tree.
constexpr std::uint64_t fan_out = merkle_block_bytes / hash_bytes;
/// What a thread takes at a time. Its hashes fill a block of the lowest level, which the thread
/// hashes too, so that hardly anything is left to be done by one thread alone.
constexpr std::uint64_t chunk_bytes = fan_out * merkle_block_bytes;
constexpr auto report_interval = std::chrono::milliseconds{100};

std::uint64_t blocks_of(std::uint64_t bytes) {
  return bytes / merkle_block_bytes + (bytes % merkle_block_bytes != 0 ? 1 : 0);
}

/// The sizes of the levels, the lowest first.
std::vector<std::uint64_t> level_sizes(std::uint64_t data_bytes) {
  std::vector<std::uint64_t> sizes;
  for (auto blocks = blocks_of(data_bytes); blocks > 1;) {
    blocks = blocks_of(blocks * hash_bytes);
    sizes.push_back(blocks * merkle_block_bytes);
  }
  return sizes;
}

failure changed(std::uint64_t data_bytes) {
  return {0, "has changed its size of " + std::to_string(data_bytes)
               + " bytes while it was read; nobody may write to it meanwhile"};
}

/// The processors that this thread may use.
unsigned processor_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // More processors than fit into the set are an error.
  if (::sched_getaffinity(0, sizeof(set), &set) != 0)
    return std::max(1u, std::thread::hardware_concurrency());
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

class tree_builder {
public:
  tree_builder(int fd, std::uint64_t data_bytes, std::string_view salt, const job_control& control)
      : fd_(fd),
        data_bytes_(data_bytes),
        salt_(salt),
        control_(control),
        chunks_(std::max<std::uint64_t>(1, (data_bytes + chunk_bytes - 1) / chunk_bytes)) {
    auto sizes = level_sizes(data_bytes);
    tree_.levels.resize(merkle_tree_bytes(data_bytes));
    auto* end = tree_.levels.data() + tree_.levels.size();
    for (auto size : sizes)
      levels_.push_back(end -= size);
  }

  result<merkle_tree> build() {
    control_.report(0, data_bytes_);
    hash_chunks_on_all_processors();
    if (!failure_)
      check_size();
    if (!failure_)
      hash_upper_levels();
    if (failure_)
      return *failure_;
    control_.report(data_bytes_, data_bytes_);
    return std::move(tree_);
  }

private:
  void hash_chunks_on_all_processors() {
    auto wanted = std::min<std::uint64_t>(processor_count(), chunks_);
    std::vector<std::thread> threads;
    try {
      blocked_signals during;
      while (threads.size() + 1 < wanted)
        threads.emplace_back([this] { hash_chunks({}); });
    } catch (const std::system_error&) {
      // Fewer threads do it too.
    }
    hash_chunks(clock::now());
    for (auto& thread : threads)
      thread.join();
  }

  /// One thread's share.
  /// @param reported when the calling thread did so last; nothing on the others.
  void hash_chunks(std::optional<clock::time_point> reported) {
    block_hasher hasher{algorithm_.get(), salt_};
    auto most_blocks = std::min(fan_out, std::max<std::uint64_t>(1, blocks_of(data_bytes_)));
    std::vector<char> buffer(most_blocks * merkle_block_bytes);
    while (!over_) {
      auto chunk = next_chunk_++;
      if (chunk >= chunks_)
        return;
      hash_chunk(chunk, hasher, buffer);
      if (control_.cancelled())
        fail(job_control::stopped());
      if (reported && clock::now() - *reported >= report_interval) {
        reported = clock::now();
        control_.report(std::min(done_bytes_.load(), data_bytes_), data_bytes_);
      }
    }
  }

  void hash_chunk(std::uint64_t chunk, block_hasher& hasher, std::vector<char>& buffer) {
    auto offset = chunk * chunk_bytes;
    auto size = static_cast<std::size_t>(std::min(chunk_bytes, data_bytes_ - offset));
    auto got = read_some_at(fd_, offset, {buffer.data(), size});
    if (!got)
      return fail(got.why());
    if (*got != size)
      return fail(changed(data_bytes_));
    auto blocks = std::max<std::uint64_t>(1, blocks_of(size));
    std::fill(buffer.begin() + static_cast<std::ptrdiff_t>(size),
              buffer.begin() + static_cast<std::ptrdiff_t>(blocks * merkle_block_bytes), '\0');
    auto* hashes = hash_place(0, chunk * fan_out);
    for (std::uint64_t block = 0; block < blocks; ++block)
      hasher.hash(buffer.data() + block * merkle_block_bytes, merkle_block_bytes,
                  hashes + block * hash_bytes);
    if (!levels_.empty())
      hasher.hash(hashes, merkle_block_bytes, hash_place(1, chunk));
    if (!hasher.ok())
      fail({EIO, "OpenSSL can't compute SHA-256"});
    done_bytes_ += size;
  }

  /// Those above the two that the chunks have filled.
  void hash_upper_levels() {
    block_hasher hasher{algorithm_.get(), salt_};
    auto blocks = chunks_;
    for (std::size_t level = 2; level <= levels_.size(); ++level) {
      blocks = (blocks + fan_out - 1) / fan_out;
      for (std::uint64_t block = 0; block < blocks; ++block)
        hasher.hash(levels_[level - 1] + block * merkle_block_bytes, merkle_block_bytes,
                    hash_place(level, block));
    }
    if (!hasher.ok())
      fail({EIO, "OpenSSL can't compute SHA-256"});
  }

  /// Where a level has a hash; above the highest there is only the root.
  char* hash_place(std::size_t level, std::uint64_t index) {
    return level < levels_.size() ? levels_[level] + index * hash_bytes
                                  : reinterpret_cast<char*>(tree_.root.data());
  }

  void check_size() {
    struct stat is;
    if (::fstat(fd_, &is) != 0)
      fail(last_failure("can't be read"));
    else if (static_cast<std::uint64_t>(is.st_size) != data_bytes_)
      fail(changed(data_bytes_));
  }

  /// The first failure is the one that counts.
  void fail(failure why) {
    std::lock_guard lock{mutex_};
    if (!failure_)
      failure_ = std::move(why);
    over_ = true;
  }

  const int fd_;
  const std::uint64_t data_bytes_;
  const std::string_view salt_;
  const job_control& control_;
  const std::uint64_t chunks_;
  const sha256_algorithm algorithm_ = fetch_sha256();
  merkle_tree tree_;
  /// Where each level begins, the lowest first.
  std::vector<char*> levels_;
  std::atomic<std::uint64_t> next_chunk_ = 0, done_bytes_ = 0;
  std::atomic<bool> over_ = false;
  std::mutex mutex_;
  std::optional<failure> failure_;
};

} // namespace

std::uint64_t merkle_tree_bytes(std::uint64_t data_bytes) {
  std::uint64_t sum = 0;
  for (auto size : level_sizes(data_bytes))
    sum += size;
  return sum;
}

result<merkle_tree> build_merkle_tree(int fd, std::uint64_t data_bytes, std::string_view salt,
                                      const job_control& control) {
  if (salt.size() > max_salt_bytes)
    return failure{0, "the salt has " + std::to_string(salt.size()) + " bytes; at most "
                        + std::to_string(max_salt_bytes) + " are allowed"};
  return tree_builder{fd, data_bytes, salt, control}.build();
}

std::string to_hex(std::string_view bytes) {
  static constexpr auto digits = "0123456789abcdef";
  std::string text;
  for (auto byte : bytes) {
    text += digits[static_cast<unsigned char>(byte) >> 4];
    text += digits[byte & 0xf];
  }
  return text;
}

std::string to_hex(const sha256_hash& hash) {
  return to_hex(std::string_view{reinterpret_cast<const char*>(hash.data()), hash.size()});
}

} // namespace crosvisor::io
