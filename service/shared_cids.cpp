// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/shared_cids.hpp"

#include "crosvisor/io/keeper/keeper_record.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace crosvisor {

namespace {

/// A CID's lock, and what the kernel's vsock gave for it.
struct held_cid {
  io::unique_fd lock;
  std::shared_ptr<const io::unique_fd> vsock;
};

/// @returns whether this description has the byte's lock now; an error other than "somebody else
/// has it" is a failure.
io::result<bool> lock_byte(int fd, vm_cid cid) {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(cid);
  range.l_len = 1;
  if (::fcntl(fd, F_OFD_SETLK, &range) == 0)
    return true;
  if (errno == EAGAIN || errno == EACCES)
    return false;
  return io::last_failure("lock of CID " + std::to_string(cid));
}

} // namespace

io::result<std::shared_ptr<io::cid_claimer>>
shared_cids::make(int directory, std::shared_ptr<io::cid_claimer> inner, std::string kept_by) {
  io::unique_fd own{::fcntl(directory, F_DUPFD_CLOEXEC, 3)};
  if (!own)
    return io::last_failure("runtime directory");
  return std::shared_ptr<io::cid_claimer>{
    std::make_shared<shared_cids>(std::move(own), std::move(inner), std::move(kept_by))};
}

io::result<io::cid_claimer::claim> shared_cids::claim_cid(vm_cid cid) {
  // A description of its own for each CID, since closing one lets go of all of its locks.
  io::unique_fd file{::openat(directory_.get(), "cids",
                              O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)};
  if (!file)
    return io::last_failure("file of claimed CIDs");
  auto ours = lock_byte(file.get(), cid);
  if (!ours)
    return ours.why();
  if (!*ours)
    return claim{true, nullptr};
  // With the lock: whoever makes the record has that before.
  if (!kept_by_.empty() && io::keeper_record::exists(kept_by_, cid))
    return claim{true, nullptr};
  auto inner = inner_->claim_cid(cid);
  if (!inner || inner->taken)
    return inner;
  auto held = std::make_shared<const held_cid>(held_cid{std::move(file), inner->descriptor});
  return claim{false, {held, held->vsock.get()}};
}

} // namespace crosvisor
