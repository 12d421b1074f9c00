// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/reconnect.hpp"

#include "crosvisor/cli/default_connection.hpp"

#include <algorithm>
#include <thread>

namespace crosvisor::cli {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

/// From one try to the next, which may be refused at once.
constexpr milliseconds pause{250};
/// One try that nobody answers leaves time for others.
constexpr milliseconds longest_try{3000};

} // namespace

bool reconnect(connection& service, const std::function<void(const std::string&)>& say,
               milliseconds bound) {
  if (service.where().kind == endpoint_kind::embedded)
    return false;
  auto tell = [&](const std::string& what) {
    if (say)
      say(what);
  };
  tell("lost the connection to " + words_of(service.where()) + "; trying again");
  auto end = clock::now() + bound;
  for (;;) {
    auto left = std::chrono::duration_cast<milliseconds>(end - clock::now());
    if (left <= milliseconds{0})
      return false;
    if (service.reconnect(std::min(left, longest_try))) {
      tell("connected to " + words_of(service.where()) + " again");
      return true;
    }
    left = std::chrono::duration_cast<milliseconds>(end - clock::now());
    // Nothing tells when a service is there again, and this thread has nothing else to do.
    std::this_thread::sleep_for(std::clamp(left, milliseconds{0}, pause));
  }
}

} // namespace crosvisor::cli
