// SPDX-License-Identifier: Apache-2.0
// How a supervisor has its VM's images made before there is a VMM.
#include "crosvisor/actors/vm_supervisor.hpp"

#include <algorithm>
#include <utility>

namespace crosvisor::actors {

vm_supervisor_state::~vm_supervisor_state() {
  if (build_)
    build_->cancel();
}

bool vm_supervisor_state::needs_images() const {
  const auto& disks = request_.config.disks;
  return request_.config.app || std::any_of(disks.begin(), disks.end(), [](const auto& disk) {
           return !disk.partitions.empty();
         });
}

void vm_supervisor_state::build() {
  info_.state = vm_state::starting;
  self_->send(registry_, info_);
  arm(timeouts_.build);
  build_began_us_ = unix_time_us();
  if (!images_)
    return build_failed(
      caf::make_error(vm_errc::unsupported, "this service makes no images for VMs"));
  log::debug(about(), "vm {} has its images made", info_.cid);
  io::image_job job{io::vm_images{request_.config, request_.choice, request_.files}};
  build_ = job.control;
  auto bound = timeouts_.build + timeouts_.cancel;
  self_
    ->request(images_, bound, job_atom::value,
              std::make_shared<const io::image_job>(std::move(job)))
    .then(
      [this, life = info_.restarts](const image_product& product) {
        if (life == info_.restarts)
          built(*product);
      },
      [this, life = info_.restarts](caf::error& why) {
        if (life == info_.restarts)
          build_failed(std::move(why));
      });
}

void vm_supervisor_state::cancel_build() {
  arm(timeouts_.cancel);
  build_->cancel();
}

void vm_supervisor_state::built(const io::image_product& product) {
  build_.reset();
  const auto* images = std::get_if<io::built_vm_images>(&product.what);
  if (images == nullptr)
    return build_failed(caf::make_error(vm_errc::io_failed, "no image builder made the images"));
  step_done({"images", build_began_us_, unix_time_us()});
  request_.config = images->config;
  request_.choice = images->choice;
  request_.files = images->files;
  request_.disks = images->disks;
  info_.vmm = request_.choice.vmm;
  info_.accel = request_.choice.accel;
  info_.memory_mib = request_.config.memory_mib;
  info_.cpus = request_.config.cpus;
  apply(vm_input::built);
}

void vm_supervisor_state::build_failed(caf::error why) {
  build_.reset();
  if (phase_ == vm_phase::building) {
    if (why.category() != caf::atom("crosvisor"))
      why = caf::make_error(vm_errc::io_failed, "the image builders are gone");
    launch_error_ = std::move(why);
  }
  apply(after(vm_input::build_failed));
}

} // namespace crosvisor::actors
