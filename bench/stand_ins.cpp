// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/stand_ins.hpp"

#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/own_memory.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"

#include <algorithm>
#include <fstream>

namespace crosvisor::bench {

namespace {

const vmm_info& usable_qemu(const bench_service& service) {
  const auto* qemu = service.embedded().host().host.find(vmm_kind::qemu);
  if (qemu == nullptr || !qemu->usable.available)
    throw std::runtime_error("the stand-in is not usable: "
                             + (qemu == nullptr ? "not found" : qemu->usable.detail));
  return *qemu;
}

} // namespace

stand_ins::stand_ins(const std::string& keeper)
    : service_(CROSVISOR_STAND_IN_QEMU, {}, keeper),
      kernel_(service_.path("kernel")),
      driver_(io::make_qemu_driver(usable_qemu(service_))) {
  std::ofstream{kernel_} << "a stand-in boots nothing\n";
  std::filesystem::create_directory(service_.path("stamps"));
}

stand_in stand_ins::next() {
  auto number = std::to_string(++count_);
  stand_in made;
  made.stamp = service_.path("stamps/" + number);
  made.config.name = "bench-" + number;
  made.config.kernel = {kernel_, 0};
  made.config.params = "play=up stamp=" + made.stamp;
  made.config.vmm = vmm_kind::qemu;
  made.config.accel = accel_kind::tcg;
  made.files = need(io::open_vm_files(made.config, "/"));
  return made;
}

vm_actor stand_ins::create(stand_in& from) {
  return service_.create(from.config, std::move(from.files));
}

bare_vmm stand_ins::bare(stand_in& from) const {
  return {*driver_, from.config, accel_kind::tcg, std::move(from.files)};
}

void stand_ins::start(std::size_t count) {
  constexpr std::size_t at_once = 32;
  while (count > 0) {
    std::vector<vm_actor> created;
    for (auto n = std::min(count, at_once); n > 0; --n, --count) {
      auto one = next();
      created.push_back(create(one));
    }
    service_.start(created);
  }
}

std::size_t stand_ins::start_some(std::size_t count) {
  constexpr std::size_t spare_descriptors = 200;
  auto before = open_descriptor_count();
  start(count);
  auto per_vm = (open_descriptor_count() - before) / count + 1;
  auto room = descriptor_limit() - std::min(descriptor_limit(), open_descriptor_count());
  return (room - std::min(room, spare_descriptors)) / per_vm;
}

std::int64_t take_stamp(const std::string& path) {
  std::int64_t stamp = 0;
  if (!(std::ifstream{path} >> stamp))
    throw std::runtime_error("a stand-in left no stamp at " + path);
  std::filesystem::remove(path);
  return stamp;
}

} // namespace crosvisor::bench
