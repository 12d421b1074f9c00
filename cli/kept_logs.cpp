// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/kept_logs.hpp"
#include "crosvisor/io/log/kept_log_reader.hpp"

#include <future>
#include <memory>

namespace crosvisor::cli {

namespace {

caf::error error_of(const io::failure& why) {
  auto code = why.code == ENOENT ? vm_errc::no_such_vm : vm_errc::io_failed;
  return caf::make_error(code, why.what);
}

} // namespace

log_source kept_logs(const std::string& state_dir) {
  auto reader = io::kept_log_reader::make(state_dir);
  return [reader](const log_query& query) -> answer<log_piece> {
    auto read = std::make_shared<std::promise<io::result<log_piece>>>();
    auto future = read->get_future();
    reader->read(query, [read](io::result<log_piece> piece) { read->set_value(std::move(piece)); });
    auto piece = future.get();
    if (!piece)
      return error_of(piece.why());
    return std::move(*piece);
  };
}

} // namespace crosvisor::cli
