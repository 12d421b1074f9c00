// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon.hpp"

int main(int argc, char** argv) {
  return crosvisor::run_daemon({argv + (argc > 0 ? 1 : 0), argv + argc});
}
