// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/images/sha256.hpp"

#include "crosvisor/io/file_bytes.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace crosvisor::io {

namespace {

constexpr std::size_t read_at_once = 1u << 20;

} // namespace

struct sha256::state {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free};
  bool ok = false;
};

sha256::sha256() : state_(std::make_unique<state>()) {
  state_->ok =
    state_->context && EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1;
}

sha256::sha256(sha256&&) noexcept = default;
sha256& sha256::operator=(sha256&&) noexcept = default;
sha256::~sha256() = default;

void sha256::add(std::string_view bytes) noexcept {
  state_->ok =
    state_->ok && EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1;
}

std::string sha256::digits() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  unsigned size = 0;
  if (!state_->ok || EVP_DigestFinal_ex(state_->context.get(), made.data(), &size) != 1)
    return {};
  state_->ok = false;
  constexpr std::string_view of = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    text += {of[made[i] >> 4], of[made[i] & 15]};
  return text;
}

result<void> add_file(sha256& to, int fd, std::uint64_t size,
                      const std::function<bool(std::uint64_t)>& told) {
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, read_at_once)), '\0');
  for (std::uint64_t done = 0; done < size;) {
    auto next = static_cast<std::size_t>(std::min<std::uint64_t>(size - done, bytes.size()));
    if (auto got = read_all_at(fd, done, {bytes.data(), next}); !got)
      return got;
    to.add({bytes.data(), next});
    done += next;
    if (told && !told(done))
      return failure{ECANCELED, "given up"};
  }
  return {};
}

} // namespace crosvisor::io
