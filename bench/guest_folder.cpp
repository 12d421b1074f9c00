// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/guest_folder.hpp"

#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"
#include "crosvisor/io/config/vm_config_file.hpp"

#include <cstdlib>
#include <filesystem>

namespace crosvisor::bench {

std::string guest_folder() {
  const auto* named = std::getenv("CROSVISOR_GUEST_DIR");
  return named != nullptr && *named != '\0' ? named : "build/guest";
}

demo_guest load_guest(const std::string& name) {
  auto folder = guest_folder();
  auto path = folder + '/' + name + ".json";
  if (!std::filesystem::exists(path))
    throw not_here("there is no guest in " + folder + "; make it with ./dev guest");
  demo_guest guest;
  guest.config = need(io::load_vm_config(path));
  guest.config.vmm = vmm_kind::qemu;
  guest.files = need(io::open_vm_files(guest.config, folder));
  return guest;
}

} // namespace crosvisor::bench
