// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vhost_cid_claimer.hpp"

#include "crosvisor/io/failpoint.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace crosvisor::io {

namespace {

constexpr char device[] = "/dev/vhost-vsock";

// VHOST_VSOCK_SET_GUEST_CID of linux/vhost.h, which includes a header that is no C++.
constexpr unsigned long set_guest_cid_request = _IOW(0xAF, 0x60, std::uint64_t);

failure open_failure(int code) {
  std::string what = std::string{device} + ": " + std::strerror(code);
  if (code == EACCES || code == EPERM)
    what += "; run the service as root, or as a member of the group that the device belongs to "
            "(`ls -l "
            + std::string{device} + "`; on Debian, kvm)";
  return {code, std::move(what)};
}

class vhost_cid_claimer final : public cid_claimer {
public:
  explicit vhost_cid_claimer(vhost_vsock_calls calls) : calls_(std::move(calls)) {}

  result<claim> claim_cid(vm_cid cid) override {
    if (auto why = injected(failpoint::claim_cid))
      return *why;
    auto fd = calls_.open();
    // No such file, or one without a driver behind it.
    if (fd == -ENOENT || fd == -ENODEV || fd == -ENXIO)
      return claim{};
    if (fd < 0)
      return open_failure(-fd);
    unique_fd descriptor{fd};
    auto set = calls_.set_guest_cid(fd, cid);
    if (set == -EADDRINUSE)
      return claim{true, nullptr};
    if (set < 0)
      return failure{-set, "CID " + std::to_string(cid) + " can't be claimed at " + device + ": "
                             + std::strerror(-set)};
    return claim{false, std::make_shared<const unique_fd>(std::move(descriptor))};
  }

private:
  vhost_vsock_calls calls_;
};

} // namespace

vhost_vsock_calls kernel_vhost_vsock() {
  vhost_vsock_calls calls;
  calls.open = [] {
    auto fd = ::open(device, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
  };
  calls.set_guest_cid = [](int fd, std::uint64_t cid) {
    return ::ioctl(fd, set_guest_cid_request, &cid) < 0 ? -errno : 0;
  };
  return calls;
}

std::shared_ptr<cid_claimer> make_vhost_cid_claimer(vhost_vsock_calls calls) {
  return std::make_shared<vhost_cid_claimer>(std::move(calls));
}

} // namespace crosvisor::io
