// SPDX-License-Identifier: Apache-2.0
// Checks of text that a stranger wrote.
#pragma once

#include <optional>
#include <string>

namespace crosvisor {

/// The UTF-16 units of a UTF-8 text, or nothing where it is no UTF-8. Overlong forms and surrogates
/// are none (RFC 3629).
std::optional<std::u16string> to_utf16(const std::string& text);

/// The inverse. Halves of a surrogate pair that stand alone come out as U+FFFD.
std::string to_utf8(const std::u16string& units);

/// Whether it holds an ASCII control character, NUL and DEL among them.
bool has_control_characters(const std::string& text) noexcept;

} // namespace crosvisor
