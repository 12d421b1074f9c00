// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/completion.hpp"

#include "crosvisor/cli/argument_parts.hpp"

#include <caf/test/dsl.hpp>

#include <algorithm>

#undef CAF_SUITE
#define CAF_SUITE cli.completion

using namespace crosvisor::cli;

namespace {

using words = std::vector<std::string>;

/// What was asked of a daemon last.
struct asked {
  std::vector<value_kind> kinds;
  connect_arguments where;
};

completions completed(const words& line, asked* seen = nullptr) {
  completions found;
  name_source names = [&](value_kind kind, const connect_arguments& where) {
    if (seen != nullptr) {
      seen->kinds.push_back(kind);
      seen->where = where;
    }
    return std::vector<candidate>{{"demo", "2048, ready"}, {"2048", "demo, ready"}};
  };
  visit_program([&](const CLI::App& program) { found = complete(program, line, names); });
  return found;
}

words offered(const words& line) {
  words all;
  for (const auto& each : completed(line).words)
    all.push_back(each.word);
  return all;
}

bool offers(const words& line, const std::string& word) {
  auto all = offered(line);
  return std::find(all.begin(), all.end(), word) != all.end();
}

void check_kinds(const CLI::App& app) {
  for (const auto* option : app.get_options()) {
    auto type = option->get_type_name();
    if (option->get_items_expected_max() > 0 && !value_kind_of(type))
      CAF_ERROR(app.get_name() << " " << option->get_name() << ": what is a \"" << type << "\"?");
    CAF_CHECK(option->get_items_expected_max() == 0 || value_kind_of(type));
  }
  for (const auto* command : app.get_subcommands(nullptr))
    check_kinds(*command);
}

} // namespace

CAF_TEST(it is known of each value whether it can be completed) {
  visit_program(check_kinds);
  CAF_CHECK(value_kind_of("auto|kvm|tcg") == value_kind::word);
  CAF_CHECK(value_kind_of("IMAGE") == value_kind::image);
  CAF_CHECK(!value_kind_of("NOVELTY"));
}

CAF_TEST(the first word is a command or an option of the program) {
  CAF_CHECK_EQUAL(offered({"run"}), (words{"run", "run-app"}));
  CAF_CHECK(offers({}, "list"));
  CAF_CHECK(offers({""}, "list"));
  CAF_CHECK_EQUAL(offered({"--ver"}), words{"--version"});
  CAF_CHECK(offered({"nonsense"}).empty());
}

CAF_TEST(options are those of the command) {
  CAF_CHECK_EQUAL(offered({"stop", "--f"}), words{"--force"});
  CAF_CHECK(offered({"list", "--f"}).empty());
  CAF_CHECK_EQUAL(offered({"stop", "demo", "--f"}), words{"--force"});
}

CAF_TEST(words are offered for options that take one of them) {
  const words formats{"table", "json", "jsonl"};
  CAF_CHECK_EQUAL(offered({"list", "-o", ""}), formats);
  CAF_CHECK_EQUAL(offered({"list", "--output", "=", ""}), formats);
  CAF_CHECK_EQUAL(offered({"list", "--output", "="}), formats);
  CAF_CHECK_EQUAL(offered({"list", "--output=j"}), (words{"--output=json", "--output=jsonl"}));
  CAF_CHECK_EQUAL(offered({"watch", "-o", ""}), (words{"table", "jsonl"}));
  CAF_CHECK_EQUAL(offered({"run", "--vmm", "q"}), words{"qemu"});
}

CAF_TEST(a VM is offered where one is meant and nowhere else) {
  CAF_CHECK_EQUAL(offered({"stop", ""}), (words{"demo", "2048"}));
  CAF_CHECK_EQUAL(offered({"stop", "--timeout", "3", "2"}), words{"2048"});
  CAF_CHECK_EQUAL(offered({"stop", "--", "d"}), words{"demo"});
  CAF_CHECK(offered({"stop", "demo", ""}).empty());
  CAF_CHECK(offered({"stop", "--timeout", ""}).empty());
  CAF_CHECK(offered({"connect", "demo", ""}).empty());
  CAF_CHECK(offered({"list", ""}).empty());
}

CAF_TEST(files are left to the shell) {
  CAF_CHECK(completed({"run", ""}).files);
  CAF_CHECK(completed({"run", "vm.json", "--console", ""}).files);
  CAF_CHECK(!completed({"run", "vm.json", ""}).files);
  CAF_CHECK(!completed({"stop", ""}).files);
}

CAF_TEST(the service that is asked is the one on the line) {
  asked seen;
  completed({"stop", "--connect", "tls://far", "--ca=ca.pem", ""}, &seen);
  CAF_CHECK(seen.kinds == std::vector{value_kind::vm});
  CAF_CHECK_EQUAL(seen.where.where, "tls://far");
  CAF_CHECK_EQUAL(seen.where.ca, "ca.pem");
}
