// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/tests/system/guest_vm.hpp"

#include <caf/send.hpp>
#include <caf/test/dsl.hpp>

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace crosvisor::tests {

// -- guest_plan ---------------------------------------------------------------

guest_plan::guest_plan(const std::string& action, const std::string& params) {
  config.kernel = open(guest_file("vmlinux"), O_RDONLY);
  config.initrd = open(guest_file("initramfs.cpio"), O_RDONLY);
  config.params = "quiet crosvisor.demo=" + action + (params.empty() ? "" : " " + params);
  config.memory_mib = 128;
  config.vmm = vmm_kind::qemu;
}

guest_plan guest_plan::with_kernel(const std::string& path) {
  guest_plan plan;
  plan.config.kernel = plan.open(path, O_RDONLY);
  plan.config.vmm = vmm_kind::qemu;
  return plan;
}

guest_plan& guest_plan::closed_boot_files(const temp_dir& dir) {
  for (auto [file, name] :
       {std::pair{&config.kernel, "vmlinux"}, {&config.initrd, "initramfs.cpio"}})
    *file = open(dir.write(name, read_file(guest_file(name)), 0600), O_RDONLY);
  return *this;
}

guest_plan& guest_plan::name(const std::string& name) {
  config.name = name;
  return *this;
}

guest_plan& guest_plan::memory(std::uint32_t mib) {
  config.memory_mib = mib;
  return *this;
}

guest_plan& guest_plan::disk(const std::string& path, bool writable, image_format format) {
  config.disks.push_back({open(path, writable ? O_RDWR : O_RDONLY), format, writable});
  return *this;
}

guest_plan& guest_plan::disk_of_partitions(bool writable) {
  config.disks.emplace_back().writable = writable;
  return *this;
}

guest_plan& guest_plan::partition(const std::string& label, const std::string& path, bool writable,
                                  image_format format) {
  auto image = open(path, writable ? O_RDWR : O_RDONLY);
  config.disks.back().partitions.push_back({label, image, format, writable, ""});
  return *this;
}

guest_plan& guest_plan::console(output_pipe& to) {
  config.console = add(to);
  return *this;
}

guest_plan& guest_plan::log(output_pipe& to) {
  config.log = add(to);
  return *this;
}

file_ref guest_plan::open(const std::string& path, int flags) {
  io::unique_fd fd{::open(path.c_str(), flags | O_CLOEXEC)};
  if (!fd)
    CAF_FAIL(path << ": " << std::strerror(errno));
  return {path, files->add(std::move(fd))};
}

file_ref guest_plan::add(output_pipe& to) {
  return {"a pipe", files->add(to.take_writer())};
}

// -- guest_vm -----------------------------------------------------------------

guest_vm::guest_vm(guest_host& host, guest_plan plan) : host_(host), self_(host.system()) {
  self_->request(host.service(), step_bound, create_atom::value, plan.config, std::move(plan.files))
    .receive(
      [&](vm_actor& vm, vm_info& info) {
        vm_ = std::move(vm);
        info_ = std::move(info);
      },
      [&](caf::error& why) { fail("not created: " + sentence_of(why)); });
  demand<vm_info>(caf::subscribe_atom::value);
}

std::string guest_vm::kinds() const {
  std::string words;
  for (const auto& event : events_)
    words += (words.empty() ? "" : " ") + to_string(event.kind);
  return words;
}

void guest_vm::start() {
  info_ = demand<vm_info>(start_atom::value);
}

void guest_vm::begin_start() {
  caf::anon_send(vm_, start_atom::value);
}

guest_stream guest_vm::connect(std::uint32_t port) {
  return guest_stream{
    demand<vsock_socket>(caf::connect_atom::value, port, caf::timespan{step_bound})};
}

guest_stream guest_vm::open_output() {
  return guest_stream{demand<passed_fd>(caf::open_atom::value, output_atom::value)};
}

vm_event guest_vm::await(vm_event_kind kind, caf::timespan bound) {
  auto deadline = std::chrono::steady_clock::now() + bound;
  for (;;) {
    auto late = false;
    self_->receive([&](const vm_event& event) { events_.push_back(event); },
                   caf::after(deadline - std::chrono::steady_clock::now()) >> [&] { late = true; });
    if (late)
      fail("no event `" + to_string(kind) + "` in time");
    if (events_.back().kind == kind)
      return events_.back();
  }
}

void guest_vm::fail(const std::string& what) const {
  CAF_FAIL("vm " << info_.cid << ": " << what << "\nits events: " << kinds()
                 << "\nits console: " << host_.kept_log(info_, "console")
                 << "\nits vmm: " << host_.kept_log(info_, "vmm"));
  throw std::logic_error(what); // CAF_FAIL throws, but does not say so.
}

std::string summary_of(const vm_event& death) {
  auto text = to_string(death.reason);
  switch (death.exit.kind) {
    case exit_kind::none: return text;
    case exit_kind::code: return text + ", code " + std::to_string(death.exit.value);
    case exit_kind::signal: return text + ", signal " + std::to_string(death.exit.value);
    case exit_kind::vanished: break;
  }
  return text + ", vanished";
}

} // namespace crosvisor::tests
