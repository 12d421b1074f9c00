// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/vring.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace crosvisor::io::vsock {

namespace {

bool aligned(const std::byte* address, std::uintptr_t to) noexcept {
  return reinterpret_cast<std::uintptr_t>(address) % to == 0;
}

void add_one(int eventfd) noexcept {
  std::uint64_t one = 1;
  // Full means that a signal is pending already.
  [[maybe_unused]] auto written = ::write(eventfd, &one, sizeof(one));
}

bool may_block(int fd) noexcept {
  return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

bool takes_more(int fd) noexcept {
  pollfd entry{fd, POLLOUT, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLOUT) != 0;
}

} // namespace

bool vring::set_kick(unique_fd fd) noexcept {
  if (kick_)
    poll_.remove(kick_.get());
  kick_ = std::move(fd);
  // Every write of an eventfd is an edge, whatever its count. So it is never read: the VMM's
  // descriptor may be a blocking one, and changing that would change it for the VMM.
  return !kick_ || poll_.add(kick_.get(), EPOLLIN | EPOLLET, token_);
}

void vring::set_call(unique_fd fd) noexcept {
  call_ = std::move(fd);
  call_may_block_ = call_ && may_block(call_.get());
  if (call_ && queue_ && call_missed_)
    call();
}

void vring::call() noexcept {
  call_missed_ = !call_;
  if (call_ && (!call_may_block_ || takes_more(call_.get())))
    add_one(call_.get());
}

void vring::call_if_due() noexcept {
  if (queue_ && queue_->call_due())
    call();
}

bool vring::resolve(const memory_table& memory, ring_parts& parts) const noexcept {
  std::uint64_t size = setup.size;
  auto* base = memory.at_vmm_address(setup.descriptors, 16 * size);
  auto* avail = memory.at_vmm_address(setup.avail, 6 + 2 * size);
  auto* used = memory.at_vmm_address(setup.used, 6 + 8 * size);
  parts = {base, avail, used};
  return size > 0 && base != nullptr && avail != nullptr && used != nullptr && aligned(base, 16)
         && aligned(avail, 2) && aligned(used, 4);
}

bool vring::run(const memory_table& memory, bool event_idx) {
  if (queue_ || !started || !enabled)
    return true;
  ring_parts parts;
  if (!resolve(memory, parts)) {
    fail();
    return false;
  }
  resumed_ = !parked_ || *parked_ == setup;
  call_missed_ = false;
  queue_.emplace(memory, use_, parts, static_cast<std::uint16_t>(setup.size), setup.base,
                 event_idx);
  queue_->arm();
  // The guest may have missed the last one.
  if (parked_ && resumed_)
    call();
  return true;
}

void vring::park() noexcept {
  if (!queue_)
    return;
  queue_->publish();
  call_if_due();
  setup.base = queue_->next_avail();
  parked_ = setup;
  queue_.reset();
}

void vring::fail() noexcept {
  park();
  started = false;
  if (err_)
    add_one(err_.get());
}

void vring::stop() noexcept {
  park();
  started = false;
  set_kick({});
  call_.reset();
}

bool vring::remap(const memory_table& memory) noexcept {
  if (!queue_)
    return true;
  ring_parts parts;
  if (!resolve(memory, parts)) {
    fail();
    return false;
  }
  queue_->remap(parts);
  return true;
}

} // namespace crosvisor::io::vsock
