// SPDX-License-Identifier: Apache-2.0
// The serving demo guest under another vhost-user backend for vsock, as a rival for ours.
#pragma once

#include "crosvisor/bench/bare_vmm.hpp"
#include "crosvisor/bench/guest_folder.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/system/guest_stream.hpp"

#include <memory>
#include <string>

namespace crosvisor::bench {

/// Runs until its end. It takes the command line of rust-vmm's vhost-device-vsock (`--guest-cid`,
/// `--socket`, `--uds-path`) and the handshake of its sockets (`CONNECT port`, `OK …`).
class reference_guest {
public:
  reference_guest(const std::string& program, demo_guest guest, const vmm_info& qemu,
                  accel_kind accel);
  reference_guest(const reference_guest&) = delete;
  reference_guest& operator=(const reference_guest&) = delete;
  ~reference_guest();

  tests::guest_stream connect(std::uint32_t port) const;

private:
  std::shared_ptr<io::unique_fd> connect_to(const std::string& name) const;

  tests::temp_dir folder_;
  pid_t device_ = 0;
  std::shared_ptr<io::unique_fd> vhost_user_;
  std::unique_ptr<io::vmm_driver> driver_;
  std::unique_ptr<bare_vmm> vmm_;
};

} // namespace crosvisor::bench
