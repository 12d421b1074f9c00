// SPDX-License-Identifier: Apache-2.0
// Bytes over a plain TLS connection of the loopback's, between two threads.
#pragma once

#include "crosvisor/service/transport/tls_identity.hpp"

#include <cstdint>

namespace crosvisor::bench {

/// Seconds for so many bytes one way, to the last one's receipt, by OpenSSL with the same settings
/// as ours: SSL_write() of 64 KiB from memory, and SSL_read() into it.
double tls_transfer(const transport::tls_identity& server, const transport::tls_identity& client,
                    std::uint64_t bytes);

} // namespace crosvisor::bench
