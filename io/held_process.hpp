// SPDX-License-Identifier: Apache-2.0
// What the owner of a VM's process holds.
#pragma once

#include "crosvisor/io/backend.hpp"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace crosvisor::io {

/// A VM that lives by itself, in its owner's hands: letting go of them is letting go of the VM.
template <class Vmm>
class held_process final : public vmm_process {
public:
  explicit held_process(std::shared_ptr<Vmm> vmm) : vmm_(std::move(vmm)) {}
  ~held_process() override { vmm_->abandon(); }

  void ask(vmm_request what, completion done) override { vmm_->ask(what, std::move(done)); }
  void get_balloon(balloon_completion done) override { vmm_->get_balloon(std::move(done)); }
  void set_balloon(std::uint64_t size_bytes, completion done) override {
    vmm_->set_balloon(size_bytes, std::move(done));
  }
  void connect_vsock(std::uint32_t port, std::chrono::milliseconds bound,
                     connection done) override {
    vmm_->connect_vsock(port, bound, std::move(done));
  }
  void terminate() override { vmm_->signal(SIGTERM); }
  void kill() override { vmm_->signal(SIGKILL); }
  void note(std::string key, std::string value) override {
    vmm_->note(std::move(key), std::move(value));
  }
  void get_origin(origin_completion done) override { vmm_->get_origin(std::move(done)); }
  void step_aside(std::function<void()> done) override { vmm_->step_aside(std::move(done)); }
  void release(std::function<void()> done) override { vmm_->release(std::move(done)); }

private:
  std::shared_ptr<Vmm> vmm_;
};

} // namespace crosvisor::io
