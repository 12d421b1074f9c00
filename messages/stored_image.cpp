// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/messages/stored_image.hpp"

#include "crosvisor/messages/vm_config.hpp"

namespace crosvisor {

bool valid_image_name(const std::string& name) noexcept {
  return valid_vm_name(name);
}

std::optional<std::string> stored_image_name(const std::string& text) {
  if (!text.starts_with(stored_image_prefix))
    return std::nullopt;
  return text.substr(stored_image_prefix.size());
}

bool valid_sha256(const std::string& text) noexcept {
  constexpr std::size_t digits = 64;
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::optional<std::string> find_problem(const image_upload& upload) {
  if (!valid_image_name(upload.name))
    return "name: is no name of an image; allowed are letters, digits, '.', '_' and '-', a letter "
           "first, at most "
           + std::to_string(max_name_bytes);
  if (upload.size_bytes == 0 || upload.size_bytes > max_image_bytes)
    return "size: is " + std::to_string(upload.size_bytes) + " bytes; allowed are 1 to "
           + std::to_string(max_image_bytes);
  if (!valid_sha256(upload.sha256))
    return "sha256: is none; it has 64 lower-case hexadecimal digits";
  return std::nullopt;
}

} // namespace crosvisor
