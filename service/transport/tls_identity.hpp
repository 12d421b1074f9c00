// SPDX-License-Identifier: Apache-2.0
// What one side of a TLS connection proves itself with, and what it believes.
#pragma once

#include "crosvisor/io/result.hpp"

#include <memory>
#include <string>

namespace crosvisor::transport {

/// Paths of PEM files, each required: a connection without one of them would prove nothing.
struct tls_files {
  std::string certificate; ///< With what is between it and the CA, leaf first.
  std::string key;         ///< Refused where others than its owner may read it.
  std::string ca;          ///< The private CA's certificate; no other is believed.
};

/// The files, read and fit for each other: TLS 1.3, a certificate of the CA's required from the
/// other side. Shared by all connections; any thread.
class tls_identity;

/// Reads the files. Blocks as long as that takes. The failure names the file and what is wrong.
io::result<std::shared_ptr<const tls_identity>> load_tls_identity(const tls_files& files);

} // namespace crosvisor::transport
