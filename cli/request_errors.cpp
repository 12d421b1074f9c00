// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/request_errors.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <caf/sec.hpp>

namespace crosvisor::cli {

std::optional<vm_errc> errc_of(const caf::error& why) {
  if (why.category() != caf::atom("crosvisor"))
    return std::nullopt;
  return static_cast<vm_errc>(why.code());
}

int exit_code_of_error(const caf::error& why) {
  if (auto code = errc_of(why))
    return exit_code_of(*code);
  return why == caf::sec::request_timeout ? exit_code::timed_out : exit_code::infrastructure;
}

std::string words_of_error(const caf::error& why) {
  auto words = io::printable(sentence_of(why), 800);
  if (errc_of(why) != vm_errc::denied)
    return words;
  auto granted = words.find(" lacks \"") != std::string::npos
                   ? " (granted in /etc/crosvisor/crosvisor.json)"
                   : "";
  return "permission denied by crosvisord: " + words + granted;
}

} // namespace crosvisor::cli
