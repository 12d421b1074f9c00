// SPDX-License-Identifier: Apache-2.0
// A private CA for one test, and certificates of its.
#pragma once

#include "crosvisor/service/transport/openssl_types.hpp"
#include "crosvisor/service/transport/tls_identity.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace crosvisor::tests {

/// What a certificate is to say.
struct certificate_wish {
  std::string common_name;
  std::string organization = {};
  /// Names and addresses that it is for.
  std::vector<std::string> hosts = {};
  /// Extended key usage; empty: none is written, which is all.
  std::string usage = "serverAuth,clientAuth";
  /// From now.
  std::chrono::seconds begins = std::chrono::hours{-1};
  std::chrono::seconds ends = std::chrono::hours{24};
};

/// A CA, whose certificate it writes. Its key stays in memory. Throws std::runtime_error.
class test_authority {
public:
  /// Writes `directory/name.pem`.
  test_authority(std::string directory, const std::string& name,
                 std::chrono::seconds begins = std::chrono::hours{-1},
                 std::chrono::seconds ends = std::chrono::hours{24});

  /// One that `parent` certified; what it issues comes with its own certificate.
  test_authority(const test_authority& parent, const std::string& name);

  /// Writes `directory/name.pem` and `directory/name.key` (0600).
  transport::tls_files issue(const std::string& name, const certificate_wish& wish) const;

  /// Path of the root's certificate.
  const std::string& path() const noexcept { return path_; }

private:
  std::string directory_;
  std::string path_;
  transport::openssl_ptr<EVP_PKEY> key_;
  transport::openssl_ptr<X509> certificate_;
  bool is_root_ = true;
};

/// What most tests need, in `directory`: ca.pem; server.pem and server.key for localhost,
/// 127.0.0.1, ::1 and `names`; client.pem and client.key (CN=client), other.pem and other.key
/// (CN=other); foreign.pem and foreign.key (CN=client), of a CA that is unknown here.
void write_test_certificates(const std::string& directory, const std::vector<std::string>& names);

} // namespace crosvisor::tests
