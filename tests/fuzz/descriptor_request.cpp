// SPDX-License-Identifier: Apache-2.0
// libFuzzer speaks to the descriptor door and answers in its name. The first byte says how many
// descriptors come along.
#include "crosvisor/io/tickets/descriptor_request.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace crosvisor::io;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  std::string_view packet{reinterpret_cast<const char*>(data) + 1, size - 1};
  auto request = parse_descriptor_request(packet, data[0]);
  // What is read is all that was there.
  if (request && packet != (request->take ? take_request(*request->take) : "put"))
    std::abort();
  auto answer = parse_descriptor_answer(packet);
  if (answer.tickets && ok_answer(*answer.tickets) != packet)
    std::abort();
  if (!answer.why.empty() && packet.size() <= max_answer_bytes && no_answer(answer.why) != packet)
    std::abort();
  return 0;
}
