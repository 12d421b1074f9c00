// SPDX-License-Identifier: Apache-2.0
// How kept logs are read through the door.
#include "crosvisor/service/door/doorkeeper.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <cerrno>

namespace crosvisor::door {

namespace {

/// What a stranger asks for is given on only where a VM can be called that.
bool names_a_vm(const std::string& text) {
  constexpr std::size_t most_digits = 10;
  auto is_cid =
    !text.empty() && text.size() <= most_digits
    && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_cid || valid_vm_name(text);
}

} // namespace

caf::result<log_piece> doorkeeper_state::read_log(const log_permit& by, log_query query) {
  if (!options_.logs)
    return caf::make_error(vm_errc::unsupported, "this service keeps no logs");
  if (query.log > log_kind::crash)
    return caf::make_error(vm_errc::invalid_config, "log: there are console, log, vmm and crash");
  if (!names_a_vm(query.vm))
    return no_such_log(query.vm);
  auto counted = limits_.requests.take(by.who());
  if (!counted)
    return counted.error();
  auto number = ++last_number_;
  auto answer = self_->make_response_promise<log_piece>();
  log_reads_.emplace(number, log_read{answer, by.vm(), query.vm, std::move(*counted)});
  if (by.vm())
    query.vm = std::to_string(by.vm()->cid);
  options_.logs->read(std::move(query),
                      [self = doorkeeper_actor{self_}, number](io::result<log_piece> got) {
                        if (got)
                          caf::send_as(self, self, finished_atom::value, number, std::move(*got));
                        else
                          caf::send_as(self, self, failed_atom::value, number,
                                       std::int32_t{got.why().code}, got.why().what);
                      });
  return answer;
}

void doorkeeper_state::log_read_done(std::uint64_t number, log_piece piece) {
  auto node = is_own_message() ? log_reads_.extract(number) : decltype(log_reads_)::node_type{};
  if (!node)
    return;
  auto& read = node.mapped();
  // A CID's or a name's logs may be another VM's by now.
  if (read.vm && (piece.cid != read.vm->cid || piece.name != read.vm->name))
    read.answer.deliver(no_such_log(read.wanted));
  else
    read.answer.deliver(std::move(piece));
}

void doorkeeper_state::log_read_failed(std::uint64_t number, int code, std::string what) {
  auto node = is_own_message() ? log_reads_.extract(number) : decltype(log_reads_)::node_type{};
  if (!node)
    return;
  auto& read = node.mapped();
  switch (code) {
    case ENOENT: read.answer.deliver(no_such_log(read.wanted)); break;
    case EBUSY:
      ++refused_log_reads_;
      read.answer.deliver(caf::make_error(vm_errc::busy, std::move(what)));
      break;
    default: read.answer.deliver(caf::make_error(vm_errc::io_failed, std::move(what))); break;
  }
}

} // namespace crosvisor::door
