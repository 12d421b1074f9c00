// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/systemd/journal.hpp"

#include <caf/test/dsl.hpp>

#include <string>

#undef CAF_SUITE
#define CAF_SUITE io.systemd.journal

using namespace crosvisor;

namespace {

std::string fields(log::level of, const log::about_vm* vm, const char* line) {
  std::string all;
  for (const auto& field : io::journal_fields(of, vm, line, "crosvisord"))
    all += (all.empty() ? "" : "|") + field;
  return all;
}

} // namespace

CAF_TEST(a line about a vm has its cid and name) {
  log::about_vm vm{2048, "demo"};
  CAF_CHECK_EQUAL(
    fields(log::level::info, &vm, "vm 2048 died"),
    "MESSAGE=vm 2048 died|PRIORITY=6|SYSLOG_IDENTIFIER=crosvisord|CID=2048|NAME=demo");
}

CAF_TEST(a vm without a name has its cid alone) {
  log::about_vm vm{2048, ""};
  CAF_CHECK_EQUAL(fields(log::level::debug, &vm, "x"),
                  "MESSAGE=x|PRIORITY=7|SYSLOG_IDENTIFIER=crosvisord|CID=2048");
}

CAF_TEST(another line has neither) {
  CAF_CHECK_EQUAL(fields(log::level::warn, nullptr, "x"),
                  "MESSAGE=x|PRIORITY=4|SYSLOG_IDENTIFIER=crosvisord");
  CAF_CHECK_EQUAL(fields(log::level::error, nullptr, "a=b\nc"),
                  "MESSAGE=a=b\nc|PRIORITY=3|SYSLOG_IDENTIFIER=crosvisord");
}
