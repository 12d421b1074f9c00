// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/transport/tls_words.hpp"

#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <ctime>
#include <utility>

namespace crosvisor::transport {

namespace {

// RFC 8446, 6.2: what a peer says about our certificate.
constexpr std::array<std::pair<int, const char*>, 8> certificate_alerts{{
  {SSL_AD_BAD_CERTIFICATE, "it is broken or not for this use"},
  {SSL_AD_UNSUPPORTED_CERTIFICATE, "it is not for this use"},
  {SSL_AD_CERTIFICATE_REVOKED, "it is revoked"},
  {SSL_AD_CERTIFICATE_EXPIRED, "it expired, or is not valid yet"},
  {SSL_AD_CERTIFICATE_UNKNOWN, "it is not acceptable"},
  {SSL_AD_UNKNOWN_CA, "it is not of the CA that the peer believes"},
  {SSL_AD_ACCESS_DENIED, "access is denied"},
  {SSL_AD_CERTIFICATE_REQUIRED, "none was sent"},
}};

std::string alert_problem(int alert) {
  for (auto& [number, words] : certificate_alerts)
    if (number == alert)
      return std::string{"the peer refused our certificate: "} + words;
  if (alert == SSL_AD_PROTOCOL_VERSION)
    return "the peer speaks no TLS 1.3";
  return std::string{"the peer ended the connection: "} + SSL_alert_desc_string_long(alert);
}

bool is_no_tls(int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE: return true;
    default: return false;
  }
}

std::string reason_problem(int reason, unsigned long error) {
  if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255)
    return alert_problem(reason - SSL_AD_REASON_OFFSET);
  if (is_no_tls(reason))
    return "the peer speaks no TLS";
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION: return "the peer speaks no TLS 1.3";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "the peer sent no certificate";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING: return "the peer closed the connection";
    default: break;
  }
  auto words = ERR_reason_error_string(error);
  return std::string{"TLS failed: "} + (words != nullptr ? words : "unknown reason");
}

} // namespace

std::string subject_of(const X509_NAME* name) {
  openssl_ptr<BIO> text{BIO_new(BIO_s_mem())};
  if (!text || X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253) < 0)
    return {};
  char* bytes = nullptr;
  auto size = BIO_ctrl(text.get(), BIO_CTRL_INFO, 0, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string{};
}

std::string time_of(const ASN1_TIME* time) {
  std::tm broken{};
  char text[64];
  if (ASN1_TIME_to_tm(time, &broken) != 1
      || std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &broken) == 0)
    return "an unknown time";
  return text;
}

std::string certificate_problem(int code, const X509* certificate) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "expired"
             + (certificate != nullptr ? " on " + time_of(X509_get0_notAfter(certificate)) : "");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "is not valid before "
             + (certificate != nullptr ? time_of(X509_get0_notBefore(certificate)) : "later");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return "is of a CA that is unknown here";
    case X509_V_ERR_INVALID_PURPOSE: return "is not for this use, by its extended key usage";
    default: return std::string{"can't be believed: "} + X509_verify_cert_error_string(code);
  }
}

std::string connection_problem() {
  auto error = ERR_peek_last_error();
  ERR_clear_error();
  if (error == 0)
    return "the peer closed the connection";
  return reason_problem(ERR_GET_REASON(error), error);
}

} // namespace crosvisor::transport
