// SPDX-License-Identifier: Apache-2.0
// The commands of `crosvisor` as Markdown, from what reads them.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace crosvisor::pages {

/// Each command as a section of its own with its arguments, options and examples, and before them
/// one with the options that most of them have. Lines without their ends.
std::vector<std::string> command_sections(const CLI::App& program);

/// Every command with each of its options' longest names, as `run --detach`; a command without
/// options as its name alone. `-h` and what is no option is left out.
std::vector<std::string> command_words(const CLI::App& program);

} // namespace crosvisor::pages
