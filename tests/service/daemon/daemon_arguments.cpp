// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_arguments.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE service.daemon.daemon_arguments

using namespace crosvisor;

namespace {

/// `config=FILE check user`, the text, or what is wrong.
std::string parsed(std::vector<std::string> arguments) {
  auto command = parse_daemon_arguments(std::move(arguments));
  if (const auto* text = std::get_if<daemon_text>(&command))
    return "text: " + text->text;
  if (const auto* misuse = std::get_if<daemon_misuse>(&command))
    return "misuse: " + misuse->what;
  auto [config, check, user] = std::get<daemon_arguments>(command);
  return "config=" + config.value_or("-") + (check ? " check" : "") + (user ? " user" : "");
}

} // namespace

CAF_TEST(options are read) {
  CAF_CHECK_EQUAL(parsed({}), "config=-");
  CAF_CHECK_EQUAL(parsed({"--config", "a.json", "--check"}), "config=a.json check");
  CAF_CHECK_EQUAL(parsed({"--user", "--config=a.json"}), "config=a.json user");
}

CAF_TEST(the version and the help are texts) {
  CAF_CHECK_EQUAL(parsed({"--version"}), "text: crosvisord " CROSVISOR_VERSION "\n");
  auto help = parsed({"--help"});
  for (std::string word : {"--config FILE", "--check", "--user", "--version", "SIGHUP", "Example",
                           "/etc/crosvisor/crosvisor.json"})
    CAF_CHECK(help.find(word) != std::string::npos);
}

CAF_TEST(what is wrong is said in a sentence) {
  CAF_CHECK_EQUAL(parsed({"--cofnig", "a"}),
                  "misuse: unknown option \"--cofnig\"; did you mean \"--config\"?");
  CAF_CHECK_EQUAL(parsed({"--zzzzzz"}),
                  "misuse: unknown option \"--zzzzzz\"; see `crosvisord --help`");
  CAF_CHECK_EQUAL(parsed({"a\x1b.json"}),
                  "misuse: unexpected \"a\\x1b.json\"; see `crosvisord --help`");
  // The words are CLI11's.
  auto missing = parsed({"--config"});
  CAF_CHECK(missing.starts_with("misuse: --config"));
  CAF_CHECK(missing.ends_with("; see `crosvisord --help`"));
  CAF_CHECK_EQUAL(parsed({"--config", ""}),
                  "misuse: --config: expected the path of a file; see `crosvisord --help`");
}
