// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/config_text.hpp"
#include "crosvisor/io/config/vm_config_file.hpp"

namespace crosvisor::io {

result<vm_config> load_vm_config(const std::string& path) {
  auto text = read_config_text(path);
  if (!text)
    return text.why();
  return parse_vm_config(*text, path);
}

} // namespace crosvisor::io
