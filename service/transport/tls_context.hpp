// SPDX-License-Identifier: Apache-2.0
// A TLS identity as OpenSSL knows it.
#pragma once

#include "crosvisor/service/transport/openssl_types.hpp"
#include "crosvisor/service/transport/tls_identity.hpp"

#include <string>
#include <utility>

namespace crosvisor::transport {

/// See tls_identity.hpp. Immutable; any thread.
class tls_identity {
public:
  explicit tls_identity(openssl_ptr<SSL_CTX> context, std::string subject)
      : context_(std::move(context)), subject_(std::move(subject)) {}

  /// For both sides of a connection. Sessions keep it alive by themselves.
  SSL_CTX* context() const noexcept { return context_.get(); }

  /// Our own, as RFC 2253 writes it.
  const std::string& subject() const noexcept { return subject_; }

private:
  openssl_ptr<SSL_CTX> context_;
  std::string subject_;
};

} // namespace crosvisor::transport
