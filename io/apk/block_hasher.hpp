// SPDX-License-Identifier: Apache-2.0
// SHA-256 of blocks, each after the same salt.
#pragma once

#include <openssl/evp.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace crosvisor::io {

/// OpenSSL's SHA-256, looked up once. Null when OpenSSL has none.
using sha256_algorithm = std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)>;

inline sha256_algorithm fetch_sha256() {
  return {EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_free};
}

/// Hashes one block after the other. Use from one thread; the algorithm must outlive it.
class block_hasher {
public:
  /// The kernel pads a salt with zeros to SHA-256's own block, so that it is hashed only once
  /// there.
  block_hasher(const EVP_MD* algorithm, std::string_view salt)
      : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free), salt_(salt) {
    salt_.resize((salt.size() + 63) / 64 * 64);
    ok_ =
      algorithm != nullptr && context_ && EVP_DigestInit_ex2(context_.get(), algorithm, nullptr);
  }

  /// Whether OpenSSL has done everything so far.
  bool ok() const { return ok_; }

  /// Writes 32 bytes to `to`.
  void hash(const void* block, std::size_t size, void* to) {
    ok_ = ok_ && EVP_DigestInit_ex2(context_.get(), nullptr, nullptr)
          && EVP_DigestUpdate(context_.get(), salt_.data(), salt_.size())
          && EVP_DigestUpdate(context_.get(), block, size)
          && EVP_DigestFinal_ex(context_.get(), static_cast<unsigned char*>(to), nullptr);
  }

private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  std::string salt_;
  bool ok_ = false;
};

} // namespace crosvisor::io
