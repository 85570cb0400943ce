// SPDX-License-Identifier: Apache-2.0
#include "tests/http/test_certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdint>

#include "northwind/status.h"

namespace northwind::testing {
namespace {

void AddExtension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  NW_CHECK(extension != nullptr, "bad certificate extension");
  NW_CHECK(X509_add_ext(certificate, extension, -1) == 1, "out of memory");
  X509_EXTENSION_free(extension);
}

}  // namespace

std::string Identity::Pem() const {
  BIO* const memory = BIO_new(BIO_s_mem());
  NW_CHECK(PEM_write_bio_X509(memory, certificate.get()) == 1, "out of memory");
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string pem(text, static_cast<size_t>(size));
  BIO_free(memory);
  return pem;
}

Identity MakeIdentity(const CertificateSpec& spec) {
  Identity made;
  made.key.reset(EVP_EC_gen("P-256"));
  made.certificate.reset(X509_new());
  X509* const certificate = made.certificate.get();
  NW_CHECK(made.key != nullptr && certificate != nullptr, "out of memory");
  X509_set_version(certificate, X509_VERSION_3);
  uint64_t serial = 0;
  NW_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) == 1, "no randomness");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), spec.valid_from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), spec.valid_to_seconds);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* const name = X509_get_subject_name(certificate);
  const std::string common_name = spec.names.empty() ? "northwind test authority" : "northwind test server";
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                             -1, 0);
  const Identity& issuer = spec.issuer != nullptr ? *spec.issuer : made;
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get()));
  if (spec.names.empty()) {
    AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    AddExtension(certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    AddExtension(certificate, NID_subject_alt_name, spec.names);
  }
  NW_CHECK(X509_sign(certificate, issuer.key.get(), EVP_sha256()) > 0, "cannot sign a certificate");
  return made;
}

}  // namespace northwind::testing
