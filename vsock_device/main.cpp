// SPDX-License-Identifier: Apache-2.0
// crosvisor-vsock: the vsock device of one VM, between its VMM and the service.
#include "crosvisor/io/vsock/device.hpp"
#include "crosvisor/io/vsock/options.hpp"
#include "crosvisor/vsock_device/sandbox.hpp"

#include <unistd.h>

#include <csignal>
#include <string>

using namespace crosvisor;
using namespace crosvisor::io::vsock;

namespace {

constexpr int usage_error = 2;

// One write, so that lines of several processes don't mix; a reader that has gone stops nothing.
void say(std::string_view line) {
  auto text = "crosvisor-vsock: " + std::string{line} + "\n";
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

int fail(const io::failure& why, int code) {
  say(why.what);
  return code;
}

int run(device& made) {
  for (;;) {
    switch (made.turn(std::chrono::milliseconds{-1})) {
      case device_state::running: break;
      case device_state::ended: return 0;
      case device_state::failed: return 1;
    }
  }
}

} // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  auto options = parse_options({argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)});
  if (!options)
    return fail(options.why(), usage_error);
  if (auto checked = check_sockets(*options); !checked)
    return fail(checked.why(), usage_error);
  device_plan plan;
  plan.guest_cid = options->cid;
  plan.vmm = io::unique_fd{options->vmm_fd};
  plan.service = io::unique_fd{options->service_fd};
  plan.sink = say;
  auto made = device::make(std::move(plan));
  if (!made)
    return fail(made.why(), 1);
  if (auto entered = vsock_device::enter_sandbox(); !entered)
    return fail(entered.why(), 1);
  return run(**made);
}
