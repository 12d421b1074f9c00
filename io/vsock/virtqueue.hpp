// SPDX-License-Identifier: Apache-2.0
// The device's side of a split virtqueue (VIRTIO 1.2, 2.7), without indirect descriptors.
#pragma once

#include "crosvisor/io/vsock/memory_table.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace crosvisor::io::vsock {

/// Host memory of a ring's three parts.
struct ring_parts {
  std::byte* descriptors = nullptr; ///< 16 bytes each, aligned to 16.
  std::byte* avail = nullptr;       ///< 6 + 2 * size bytes, aligned to 2.
  std::byte* used = nullptr;        ///< 6 + 8 * size bytes, aligned to 4.
};

/// Which way the guest's buffers of a queue go.
enum class buffer_use { device_reads, device_writes };

/// A buffer that the guest made available: its pieces stand in the vector that pop() was given.
struct buffer_chain {
  std::uint16_t head = 0;
  std::size_t first = 0; ///< Index of its first piece; empty pieces are left out.
  std::size_t count = 0;
  std::uint64_t bytes = 0;
};

/// What pop() found; `broken`: the guest breaks the rules of the ring, which must be stopped.
enum class pop_result { empty, popped, broken };

/// The most descriptors of one chain, whatever the ring's size: what one system call takes.
inline constexpr std::size_t max_chain = 1024;

/// A running queue. Only indexes and copies of descriptors are kept; each field in guest memory is
/// read once, so that the guest gains nothing by changing it meanwhile.
class virtqueue {
public:
  /// @param size a power of two, 1 to 32768.
  /// @param next_avail index of the first buffer to take. The used index is read from memory.
  virtqueue(const memory_table& memory, buffer_use use, ring_parts parts, std::uint16_t size,
            std::uint16_t next_avail, bool event_idx);

  /// Takes the next buffer and appends its pieces.
  pop_result pop(std::vector<iovec>& pieces, buffer_chain& chain);
  /// Gives back the last `count` buffers popped, none of which was pushed.
  void unpop(std::uint16_t count) noexcept {
    next_avail_ = static_cast<std::uint16_t>(next_avail_ - count);
  }

  /// Puts a buffer among the used ones, which the guest sees after publish().
  void push(std::uint16_t head, std::uint32_t written) noexcept;
  void publish() noexcept;

  /// Asks for a kick on the next buffer. True if there is one already: then look again.
  bool arm() noexcept;
  /// No kicks for now; without EVENT_IDX alone is there anything to do.
  void disarm() noexcept;
  /// Whether the guest wants a call for what was published since this was last asked.
  bool call_due() noexcept;
  /// How many buffers were published since call_due() was last asked.
  std::uint16_t uncalled() const noexcept {
    return static_cast<std::uint16_t>(published_ - signalled_);
  }

  /// The same ring at other addresses, once the table has changed.
  void remap(ring_parts parts) noexcept { parts_ = parts; }

  std::uint16_t next_avail() const noexcept { return next_avail_; }
  std::uint16_t size() const noexcept { return size_; }

private:
  struct descriptor {
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t flags;
    std::uint16_t next;
  };
  static_assert(sizeof(descriptor) == 16);

  bool follow(std::uint16_t head, std::vector<iovec>& pieces, buffer_chain& chain) const;
  std::uint16_t avail_index() const noexcept;

  const memory_table& memory_;
  buffer_use use_;
  ring_parts parts_;
  std::uint16_t size_;
  std::uint16_t next_avail_;
  std::uint16_t next_used_;
  std::uint16_t published_;
  std::uint16_t signalled_; // The published index at the last call_due().
  bool signalled_before_ = false;
  bool event_idx_;
};

/// Copies the first bytes of a chain; `to` is no longer than the chain.
void copy_from_pieces(std::span<const iovec> pieces, std::span<std::byte> to) noexcept;
/// Overwrites the first bytes of a chain; `from` is no longer than the chain.
void copy_to_pieces(std::span<const std::byte> from, std::span<const iovec> pieces) noexcept;
/// Appends to `to` what is left of the pieces without the first `skip` bytes, `limit` at most.
void slice_pieces(std::span<const iovec> pieces, std::size_t skip, std::size_t limit,
                  std::vector<iovec>& to);

} // namespace crosvisor::io::vsock
