// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/own_memory.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace crosvisor::bench {

own_memory measure_own_memory() {
  ::malloc_trim(0);
  double total = 0, resident = 0; // statm's first two, in pages: proc(5).
  if (!(std::ifstream{"/proc/self/statm"} >> total >> resident))
    throw std::runtime_error("/proc/self/statm can't be read");
  return {resident * static_cast<double>(::sysconf(_SC_PAGESIZE)),
          static_cast<double>(::mallinfo2().uordblks)};
}

std::size_t open_descriptor_count() {
  std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::size_t descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

} // namespace crosvisor::bench
