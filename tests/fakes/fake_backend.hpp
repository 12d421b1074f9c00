// SPDX-License-Identifier: Apache-2.0
// Small working stand-ins behind io/backend.hpp: they record what is asked, and tests fire what
// happens.
#pragma once

#include "crosvisor/io/backend.hpp"

#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace crosvisor::tests {

/// A VMM that does nothing by itself.
class fake_vmm : public io::vmm_process {
public:
  struct asked {
    io::vmm_request what;
    completion done;
  };

  struct wanted_connection {
    std::uint32_t port;
    std::chrono::milliseconds bound;
    connection done;
  };

  io::launch_request request;
  io::vmm_callbacks callbacks;
  std::vector<asked> requests;
  std::vector<wanted_connection> connects;
  std::vector<balloon_completion> balloon_reads;
  std::vector<std::pair<std::uint64_t, completion>> balloon_writes;
  int terminated = 0;
  int killed = 0;
  std::function<void()> release_done;

  void ask(io::vmm_request what, completion done) override {
    requests.push_back({what, std::move(done)});
  }
  void get_balloon(balloon_completion done) override { balloon_reads.push_back(std::move(done)); }
  void set_balloon(std::uint64_t size_bytes, completion done) override {
    balloon_writes.emplace_back(size_bytes, std::move(done));
  }
  void connect_vsock(std::uint32_t port, std::chrono::milliseconds bound,
                     connection done) override {
    connects.push_back({port, bound, std::move(done)});
  }
  void terminate() override { ++terminated; }
  void kill() override { ++killed; }
  void release(std::function<void()> done) override { release_done = std::move(done); }
};

class fake_launcher : public io::vmm_launcher {
public:
  std::vector<std::shared_ptr<fake_vmm>> launched;

  std::shared_ptr<io::vmm_process> launch(io::launch_request request,
                                          io::vmm_callbacks callbacks) override {
    auto vmm = std::make_shared<fake_vmm>();
    vmm->request = std::move(request);
    vmm->callbacks = std::move(callbacks);
    launched.push_back(vmm);
    return vmm;
  }
};

/// A kernel with vsock for guests, where other programs may have CIDs.
class fake_claimer : public io::cid_claimer {
public:
  std::set<vm_cid> taken;
  std::vector<vm_cid> claimed;
  bool broken = false;
  /// Whatever is claimed and not let go of yet.
  std::vector<std::weak_ptr<const io::unique_fd>> held;

  io::result<claim> claim_cid(vm_cid cid) override {
    if (broken)
      return io::failure{13, "open /dev/vhost-vsock: Permission denied"};
    if (taken.count(cid) > 0)
      return claim{true, nullptr};
    claimed.push_back(cid);
    auto descriptor = std::make_shared<const io::unique_fd>();
    held.push_back(descriptor);
    return claim{false, descriptor};
  }
};

class fake_cid_store : public io::cid_store {
public:
  vm_cid last = no_cid;

  vm_cid load() override { return last; }
  void save(vm_cid cid) override { last = cid; }
};

} // namespace crosvisor::tests
