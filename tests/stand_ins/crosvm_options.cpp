// SPDX-License-Identifier: Apache-2.0
#include "crosvm_options.hpp"

#include <algorithm>

namespace stand_in {

namespace {

/// Each option that the driver may use, with whether it takes a value. Of google/crosvm at
/// f1e797a68dad (src/crosvm/cmdline.rs) and a0320d286dce (src/main.rs).
using option_table = std::map<std::string, bool>;

const option_table todays_options{
  {"--name", true},        {"--disable-sandbox", false},
  {"--vsock", true},       {"--mem", true},
  {"--cpus", true},        {"--no-usb", false},
  {"--no-balloon", false}, {"--serial", true},
  {"--block", true},       {"--initrd", true},
  {"--params", true},      {"--socket", true},
  {"--bios", true},        {"--protected-vm", false},
  {"--vhost-user", true},  {"--no-smt", false},
  {"--hugepages", false},  {"--no-rng", false},
  {"--net", true},         {"--pstore", true},
};

const option_table options_of_2021{
  {"--disable-sandbox", false},
  {"--cid", true},
  {"--vhost-vsock-device", true},
  {"--mem", true},
  {"--cpus", true},
  {"--serial", true},
  {"--disk", true},
  {"--rwdisk", true},
  {"--initrd", true},
  {"--params", true},
  {"--socket", true},
  {"--bios", true},
  {"--protected-vm", false},
  {"--no-smt", false},
  {"--hugepages", false},
  {"--pstore", true},
};

/// 2021's knows 0 and 1 alone.
refused invalid(era when, std::string why) {
  return {when == era::todays ? 35 : 1, std::move(why)};
}

/// Takes `--option=value` apart, as crosvm does before it looks at any option; an argument that
/// follows an option is not spared.
std::vector<std::string> split(const std::vector<std::string>& arguments) {
  std::vector<std::string> parts;
  for (const auto& argument : arguments) {
    auto at = argument.find('=');
    if (argument.size() > 1 && argument[0] == '-' && at != argument.npos) {
      parts.push_back(argument.substr(0, at));
      parts.push_back(argument.substr(at + 1));
    } else {
      parts.push_back(argument);
    }
  }
  return parts;
}

/// Reads what stands before the command, and returns where that is.
std::size_t parse_global(era when, const std::vector<std::string>& parts, run_options& into) {
  std::size_t i = 0;
  for (; i < parts.size() && parts[i] != "run"; ++i) {
    if (when == era::todays && parts[i] == "--extended-status")
      into.extended_status = true;
    else if (when == era::todays && parts[i] == "--log-level" && i + 1 < parts.size())
      ++i;
    else
      throw invalid(when, "unknown before the command: " + parts[i]);
  }
  return i;
}

} // namespace

std::string run_options::get(const std::string& name) const {
  std::string found;
  for (const auto& [key, value] : options)
    if (key == name)
      found = value;
  return found;
}

bool run_options::has(const std::string& name) const {
  return std::any_of(options.begin(), options.end(),
                     [&](const auto& option) { return option.first == name; });
}

run_options parse_run(era when, const std::vector<std::string>& arguments) {
  const auto& known = when == era::todays ? todays_options : options_of_2021;
  auto parts = split(arguments);
  run_options result;
  for (auto i = parse_global(when, parts, result) + 1; i < parts.size(); ++i) {
    auto option = known.find(parts[i]);
    if (option == known.end() && parts[i].starts_with('-'))
      throw invalid(when, "Unrecognized argument: " + parts[i]);
    if (option == known.end() && i + 1 != parts.size())
      throw invalid(when, "the kernel is not the last argument: " + parts[i]);
    if (option == known.end())
      result.kernel = parts[i];
    else if (!option->second)
      result.options.emplace_back(parts[i], "");
    else if (i + 1 == parts.size())
      throw invalid(when, "No value provided for option '" + parts[i] + "'");
    else
      result.options.emplace_back(parts[i], parts[i + 1]), ++i;
  }
  return result;
}

key_values parse_key_values(era when, const std::string& text,
                            const std::vector<std::string>& known) {
  key_values found;
  for (std::size_t at = 0; at <= text.size();) {
    auto end = std::min(text.find(',', at), text.size());
    auto word = text.substr(at, end - at);
    auto equals = word.find('=');
    auto bare = equals == word.npos;
    auto key = bare ? "" : word.substr(0, equals);
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw invalid(when, "unknown field `" + (bare ? word : key) + "` in " + text);
    if (!found.emplace(key, bare ? word : word.substr(equals + 1)).second)
      throw invalid(when, "duplicate field `" + key + "` in " + text);
    at = end + 1;
  }
  return found;
}

} // namespace stand_in
