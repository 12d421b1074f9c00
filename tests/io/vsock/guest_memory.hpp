// SPDX-License-Identifier: Apache-2.0
// What stands in for a VMM's guest: memory in two regions, and a driver's side of a ring.
#pragma once

#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/io/vsock/memory_table.hpp"
#include "crosvisor/io/vsock/vring.hpp"
#include "crosvisor/io/vsock/wire.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace crosvisor::tests {

/// A sealed memfd with two regions and a hole between them. The VMM's addresses are far from any
/// pointer of this process, so that a wrong translation finds nothing.
class guest_memory {
public:
  static constexpr std::uint64_t size = 16 << 20;
  static constexpr std::uint64_t low_size = 1 << 20;
  static constexpr std::uint64_t high_at = 0x4000'0000;
  static constexpr std::uint64_t low_vmm = 0x7000'0000'0000;
  static constexpr std::uint64_t high_vmm = 0x7100'0000'0000;

  explicit guest_memory(unsigned seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
      : fd(::memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    if (::ftruncate(fd.get(), size) != 0
        || (seals != 0 && ::fcntl(fd.get(), F_ADD_SEALS, seals) != 0))
      throw std::runtime_error("memfd");
    auto* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    base = static_cast<std::byte*>(at);
  }
  guest_memory(const guest_memory&) = delete;
  guest_memory& operator=(const guest_memory&) = delete;
  ~guest_memory() { ::munmap(base, size); }

  std::vector<io::vsock::memory_region> regions() const {
    return {{0, low_size, low_vmm, 0}, {high_at, size - low_size, high_vmm, low_size}};
  }

  io::unique_fd copy() const { return io::unique_fd{::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)}; }

  /// This process's pointer for a guest-physical address.
  std::byte* at(std::uint64_t address) const {
    return base + (address < high_at ? address : address - high_at + low_size);
  }
  static std::uint64_t vmm_address(std::uint64_t address) {
    return address < high_at ? address + low_vmm : address - high_at + high_vmm;
  }

  io::unique_fd fd;
  std::byte* base = nullptr;
};

/// One buffer's place in the guest.
struct guest_piece {
  std::uint64_t address;
  std::uint32_t length;
};

/// The driver's side of a ring, laid out at `where`. It trusts nobody to give descriptors back: it
/// takes them in turn.
class driver_ring {
public:
  driver_ring(guest_memory& memory, std::uint64_t where, std::uint16_t entries)
      : memory_(memory),
        size(entries),
        descriptors(where),
        avail(where + 16ull * entries),
        used((avail + 6 + 2ull * entries + 3) & ~3ull) {}

  /// As a driver does after a reset.
  void clear() {
    std::memset(memory_.at(descriptors), 0, used + 6 + 8ull * size - descriptors);
    next_descriptor = 0;
    seen_used = 0;
  }

  void put_descriptor(std::uint16_t index, guest_piece piece, std::uint16_t flags,
                      std::uint16_t next) {
    auto* at = memory_.at(descriptors) + 16 * index;
    io::vsock::store(at, piece.address);
    io::vsock::store(at + 8, piece.length);
    io::vsock::store(at + 12, flags);
    io::vsock::store(at + 14, next);
  }

  /// Adds a chain and makes it available; its head.
  std::uint16_t add(const std::vector<guest_piece>& pieces, bool written) {
    auto head = next_descriptor;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      auto last = i + 1 == pieces.size();
      auto next = static_cast<std::uint16_t>((next_descriptor + 1) % size);
      put_descriptor(next_descriptor, pieces[i],
                     static_cast<std::uint16_t>((last ? 0 : 1) | (written ? 2 : 0)), next);
      next_descriptor = next;
    }
    offer(head);
    return head;
  }

  void offer(std::uint16_t head) {
    auto index = avail_index();
    io::vsock::store(memory_.at(avail) + 4 + 2 * (index % size), head);
    set_avail_index(static_cast<std::uint16_t>(index + 1));
  }

  std::uint16_t avail_index() const {
    return io::vsock::load<std::uint16_t>(memory_.at(avail) + 2);
  }
  void set_avail_index(std::uint16_t index) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    io::vsock::store(memory_.at(avail) + 2, index);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  std::uint16_t used_index() const { return io::vsock::load<std::uint16_t>(memory_.at(used) + 2); }
  void set_used_index(std::uint16_t index) { io::vsock::store(memory_.at(used) + 2, index); }
  std::uint16_t avail_event() const {
    return io::vsock::load<std::uint16_t>(memory_.at(used) + 4 + 8 * size);
  }
  void set_used_event(std::uint16_t index) {
    io::vsock::store(memory_.at(avail) + 4 + 2 * size, index);
  }

  bool has_used() const { return used_index() != seen_used; }
  /// The next used element: head and bytes written.
  std::pair<std::uint32_t, std::uint32_t> take_used() {
    auto* at = memory_.at(used) + 4 + 8 * (seen_used++ % size);
    return {io::vsock::load<std::uint32_t>(at), io::vsock::load<std::uint32_t>(at + 4)};
  }

private:
  guest_memory& memory_;

public:
  std::uint16_t size;
  std::uint64_t descriptors;
  std::uint64_t avail;
  std::uint64_t used;
  std::uint16_t next_descriptor = 0;
  std::uint16_t seen_used = 0;
};

} // namespace crosvisor::tests
