// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_HTTP_TEST_CERTIFICATES_H_
#define NORTHWIND_TESTS_HTTP_TEST_CERTIFICATES_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace northwind::testing {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

// A certificate and its key.
struct Identity {
  std::unique_ptr<EVP_PKEY, FreeKey> key;
  std::unique_ptr<X509, FreeCertificate> certificate;

  std::string Pem() const;  // of the certificate
};

struct CertificateSpec {
  std::string names;                // subjectAltName as OpenSSL's configuration has it: "DNS:a.test,IP:127.0.0.1"
  long valid_from_seconds = -3600;  // from now
  long valid_to_seconds = 3600;
  const Identity* issuer = nullptr;  // null: signs itself
};

// Fresh, with a P-256 key. Without names it is an authority.
Identity MakeIdentity(const CertificateSpec& spec);

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_HTTP_TEST_CERTIFICATES_H_
