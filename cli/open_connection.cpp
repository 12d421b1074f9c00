// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/open_connection.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <atomic>
#include <cerrno>

namespace crosvisor::cli {

namespace {

std::atomic<bool> left{false};

} // namespace

outcome<std::unique_ptr<connection>> open_connection(const connect_arguments& given,
                                                     without_daemon otherwise) {
  auto options = choose_connection(given, own_surroundings(), otherwise);
  if (const auto* end = std::get_if<early_end>(&options))
    return *end;
  auto opened = connection::open(std::get<0>(options));
  if (!opened) {
    auto code = opened.why().code;
    return early_end{code == EACCES || code == EPERM ? denied : infrastructure,
                     io::printable(opened.why().what, 800)};
  }
  return std::move(*opened);
}

int with_daemon(const connect_arguments& given,
                const std::function<outcome<int>(connection&)>& use) {
  auto opened = open_connection(given, without_daemon::refuse);
  const auto* end = std::get_if<early_end>(&opened);
  outcome<int> ended = end != nullptr ? outcome<int>{*end} : use(*std::get<0>(opened));
  if (end == nullptr)
    leave_connection(std::move(std::get<0>(opened)));
  if (const auto* early = std::get_if<early_end>(&ended))
    return complain(general_exit_code(early->exit_code), early->what);
  return std::get<int>(ended);
}

void leave_connection(std::unique_ptr<connection> opened) noexcept {
  static_cast<void>(opened.release());
  left = true;
}

bool is_connection_left() noexcept {
  return left;
}

} // namespace crosvisor::cli
