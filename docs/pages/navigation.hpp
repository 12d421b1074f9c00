// SPDX-License-Identifier: Apache-2.0
// The order of the book's pages.
#pragma once

#include "crosvisor/docs/pages/markdown.hpp"

#include <filesystem>

namespace crosvisor::pages {

/// The lines of MkDocs' configuration for the pages that `docs` has: without an entry whose page is
/// not there, and in place of `- TITLE: FOLDER/*` each page of the folder. `- TITLE: "*"` stands
/// for those pages that no other line names, and is left out where there are none.
lines with_pages(const lines& configuration, const std::filesystem::path& docs);

} // namespace crosvisor::pages
