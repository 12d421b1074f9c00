// SPDX-License-Identifier: Apache-2.0
// libFuzzer writes an APEX list, as XML and as JSON, and asks for what is in it.
#include "crosvisor/io/payload/apex_list.hpp"

#include <cstdint>
#include <cstdlib>

using namespace crosvisor::io;

namespace {

// An APEX that is listed is there, unless it is not active.
void ask(const result<apex_list>& list) {
  if (!list)
    return;
  if (list->apexes.size() > max_listed_apexes)
    std::abort();
  std::vector<wanted_apex> wanted;
  for (const auto& apex : list->apexes)
    if (apex.active && apex.name != "{CLASSPATH}")
      wanted.push_back({apex.name, "fuzzer"});
  auto selected = select_apexes(*list, wanted);
  if (!selected || selected->size() > list->apexes.size())
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  ask(parse_apex_xml(text, "list.xml"));
  ask(parse_apex_map(text, "list.json"));
  return 0;
}
