// SPDX-License-Identifier: Apache-2.0
// The command `__complete`.
#include "crosvisor/cli/argument_parts.hpp"
#include "crosvisor/cli/completion.hpp"
#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/cli/open_connection.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/messages/vm_state.hpp"

#include <set>

namespace crosvisor::cli {

namespace {

/// Somebody has pressed a key and waits.
constexpr std::chrono::milliseconds patience{500};

std::unique_ptr<connection> connect_at_once(const connect_arguments& given) {
  auto options = choose_connection(given, own_surroundings(), without_daemon::refuse);
  auto* chosen = std::get_if<connection_options>(&options);
  if (chosen == nullptr)
    return nullptr;
  chosen->bound = patience;
  auto opened = connection::open(*chosen);
  return opened ? std::move(*opened) : nullptr;
}

/// Each by its name, and by its CID.
std::vector<candidate> words_of(const std::vector<vm_info>& vms) {
  std::vector<candidate> names, cids;
  std::set<std::string> known;
  for (const auto& vm : vms) {
    auto state = to_string(vm.state);
    auto cid = std::to_string(vm.cid);
    if (known.insert(vm.name).second)
      names.push_back({vm.name, cid + ", " + state});
    cids.push_back({cid, vm.name + ", " + state});
  }
  names.insert(names.end(), cids.begin(), cids.end());
  return names;
}

std::vector<candidate> vms_at(const connect_arguments& where) {
  auto service = connect_at_once(where);
  if (service == nullptr)
    return {};
  auto listed = ask<std::vector<vm_info>>(*service, patience, list_atom::value);
  leave_connection(std::move(service));
  const auto* vms = std::get_if<std::vector<vm_info>>(&listed);
  return vms == nullptr ? std::vector<candidate>{} : words_of(*vms);
}

std::vector<candidate> images_at(const connect_arguments& where) {
  auto service = connect_at_once(where);
  if (service == nullptr)
    return {};
  auto listed =
    ask<std::vector<image_info>>(*service, patience, list_atom::value, image_atom::value);
  leave_connection(std::move(service));
  std::vector<candidate> found;
  if (const auto* images = std::get_if<std::vector<image_info>>(&listed))
    for (const auto& image : *images)
      found.push_back({image.name, image.owner});
  return found;
}

} // namespace

int print_completions(const std::vector<std::string>& words) {
  completions found;
  name_source names = [](value_kind kind, const connect_arguments& where) {
    return kind == value_kind::vm ? vms_at(where) : images_at(where);
  };
  visit_program([&](const CLI::App& program) { found = complete(program, words, names); });
  std::string text;
  for (const auto& each : found.words)
    text += each.word + (each.what.empty() ? "" : '\t' + each.what) + '\n';
  return print(found.files ? text + ":files\n" : text);
}

} // namespace crosvisor::cli
