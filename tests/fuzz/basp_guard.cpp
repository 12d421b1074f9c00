// SPDX-License-Identifier: Apache-2.0
// A connection of any bytes, after the handshake or without: the guard reads them within their
// bounds, and what passes is what a client may say.
#include "crosvisor/service/transport/basp_guard.hpp"

#include "crosvisor/messages/type_ids.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

using namespace crosvisor;
using namespace crosvisor::transport;

namespace {

constexpr std::uint64_t door = 6;

std::shared_ptr<const service_guard::terms> service_terms() {
  auto terms = std::make_shared<service_guard::terms>();
  terms->own.pid = 1;
  terms->own.host.fill(1);
  terms->door = door;
  add_inputs<door_actor>(terms->shapes);
  terms->message_bytes = 4096;
  return terms;
}

std::shared_ptr<const client_guard::terms> client_terms() {
  auto terms = std::make_shared<client_guard::terms>();
  terms->own.pid = 2;
  terms->own.host.fill(2);
  add_outputs<door_actor>(terms->answers);
  terms->answers.add<caf::error>();
  add_inputs<subscriber_actor>(terms->telegrams);
  add_inputs<output_reader_actor>(terms->telegrams);
  add_inputs<stream_client_actor>(terms->telegrams);
  terms->message_bytes = 4096;
  return terms;
}

/// What must hold of all that CAF is given.
void check(const basp_guard& guard, const basp_header& header, bool service) {
  if (!guard.greeted() || header.payload_bytes == 0 || header.payload_bytes > 4096)
    std::abort();
  auto message = header.operation == basp_operation::direct_message;
  if (message && (header.flags != 0 || header.dest_actor == 0))
    std::abort();
  if (service && message && (header.dest_actor != door || header.source_actor == 0))
    std::abort();
  if (header.operation == basp_operation::routed_message)
    std::abort();
}

void talk(basp_guard& guard, std::string_view bytes, bool service) {
  while (bytes.size() >= basp_header_bytes) {
    auto head = bytes.substr(0, basp_header_bytes);
    bytes.remove_prefix(basp_header_bytes);
    auto word = guard.header(head);
    if (word == verdict::close)
      return;
    if (guard.awaited() == 0)
      continue;
    if (guard.awaited() > bytes.size())
      return;
    auto judged = guard.payload(bytes.substr(0, guard.awaited()));
    bytes.remove_prefix(guard.awaited());
    if (judged == verdict::close)
      return;
    if (word == verdict::pass && judged == verdict::pass)
      check(guard, *read_basp_header(head), service);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto terms = service_terms();
  static const auto answers = client_terms();
  std::string_view bytes{reinterpret_cast<const char*>(data), size};
  if (bytes.empty())
    return 0;
  if ((bytes[0] & 1) != 0) {
    client_guard guard{answers};
    talk(guard, bytes.substr(1), false);
    return 0;
  }
  auto nodes = std::make_shared<node_table>();
  {
    service_guard guard{terms, nodes};
    guard.identify({}, {});
    talk(guard, bytes.substr(1), true);
  }
  if (nodes->size() != 0)
    std::abort();
  return 0;
}
