// SPDX-License-Identifier: Apache-2.0
// What OpenSSL found wrong, in sentences for an operator.
#pragma once

#include "crosvisor/service/transport/openssl_types.hpp"

#include <string>

namespace crosvisor::transport {

/// A subject as RFC 2253 writes it: `CN=alice,O=Example`. Bytes that are no ASCII come out as
/// `\C3`.
std::string subject_of(const X509_NAME* name);

/// When a certificate begins or ends to be valid: `2026-11-24 19:32:00 UTC`.
std::string time_of(const ASN1_TIME* time);

/// What is wrong with a certificate, after `its certificate `, such as `expired on …`.
/// @param code one of X509_V_ERR_…, and `certificate` the one that it is about; may be null.
std::string certificate_problem(int code, const X509* certificate);

/// What ended a handshake or a connection, by the thread's queue of errors, which is emptied:
/// `the peer refused our certificate: unknown CA`.
std::string connection_problem();

} // namespace crosvisor::transport
