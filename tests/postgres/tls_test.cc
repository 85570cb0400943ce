// SPDX-License-Identifier: Apache-2.0
//
// sslmode=verify-full with an authority of the test's own.
#include <openssl/bio.h>
#include <openssl/pem.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "northwind/postgres.h"
#include "src/postgres/connection.h"
#include "tests/http/test_certificates.h"
#include "tests/postgres/postgres_server.h"
#include "tests/support/ledger_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using internal::postgres::Connection;
using internal::postgres::Deadline;
using ::testing::HasSubstr;

std::string KeyPem(const Identity& identity) {
  BIO* const memory = BIO_new(BIO_s_mem());
  EXPECT_EQ(PEM_write_bio_PrivateKey(memory, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  std::string pem(text, static_cast<size_t>(size));
  BIO_free(memory);
  return pem;
}

class PostgresTls : public LedgerFixture {
 protected:
  // To the server under a name, trusting an authority.
  std::string As(const std::string& host, const Identity& authority) {
    const std::string path = directory_ / absl::StrCat("ca", ++files_, ".pem");
    std::ofstream(path) << authority.Pem();
    return absl::StrCat("host=", host, " hostaddr=127.0.0.1 port=", server_.port(),
                        " dbname=postgres user=postgres sslmode=verify-full sslrootcert=", path);
  }
  absl::Status Connect(const std::string& connection) {
    return Connection::Connect({.connection = connection}, nullptr).status();
  }

  TempDir directory_;
  int files_ = 0;
  const Identity authority_ = MakeIdentity({});
  const Identity identity_ = MakeIdentity({.names = "DNS:db.test", .issuer = &authority_});
  PostgresServer server_{{.tcp = true,
                          .hba = {"hostnossl all all all reject"},
                          .certificate_pem = identity_.Pem(),
                          .key_pem = KeyPem(identity_)}};
};

TEST_F(PostgresTls, AServerThatProvesWhoItIsIsTrusted) {
  NW_ASSERT_OK_AND_ASSIGN(const auto connection,
                          Connection::Connect({.connection = As("db.test", authority_)}, nullptr));
  NW_ASSERT_OK_AND_ASSIGN(
      const auto result,
      connection->Execute("test", "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                          Deadline::In(absl::Minutes(1))));
  EXPECT_EQ(result.Value(0, 0), "t");
  EXPECT_EQ(result.Value(0, 1), "TLSv1.3");
  EXPECT_THAT(LegacyReader::Open({.connection = As("db.test", authority_)}), IsOk());
}

TEST_F(PostgresTls, AMirrorFollowsThroughIt) {
  const MirrorOptions options = {.connection = As("db.test", authority_)};
  ASSERT_THAT(Mirror::Migrate(options), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const auto mirror, Mirror::Open(*ledger_, options));
  ASSERT_THAT(mirror->Start(), IsOk());
  std::vector<Transaction> batch;
  for (uint64_t i = 1; i <= 5'000; ++i) batch.push_back(MakePost(i, world_, alice_, i));
  ASSERT_THAT(ledger_->Commit(batch), IsOk());
  EXPECT_THAT(mirror->WaitFor(ledger_->Head().sequence, absl::Minutes(1)), IsOk());
}

TEST_F(PostgresTls, AnotherNameIsRefused) {
  EXPECT_THAT(Connect(As("other.test", authority_)),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("server certificate for \"db.test\" does not match host name \"other.test\"")));
}

TEST_F(PostgresTls, AnUnknownAuthorityIsRefused) {
  const Identity stranger = MakeIdentity({.names = "DNS:stranger.test"});
  EXPECT_THAT(Connect(As("db.test", stranger)),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("certificate verify failed")));
  EXPECT_THAT(LegacyReader::Open({.connection = As("db.test", stranger)}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("certificate verify failed")));
  // One that goes by the name of the right one, with another key.
  const Identity impostor = MakeIdentity({});
  EXPECT_THAT(Connect(As("db.test", impostor)), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("SSL error")));
}

TEST_F(PostgresTls, WithoutItThereIsNoConnection) {
  EXPECT_THAT(
      Connect(absl::StrCat("host=127.0.0.1 sslmode=disable dbname=postgres user=postgres port=", server_.port())),
      StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("28000")));
  // Whoever asks for verify-full is never talked down to plain text.
  PostgresServer plain({.tcp = true});
  const std::string file = directory_ / "ca.pem";
  std::ofstream(file) << authority_.Pem();
  EXPECT_THAT(Connect(absl::StrCat("host=127.0.0.1 sslmode=verify-full sslrootcert=", file,
                                   " dbname=postgres user=postgres port=", plain.port())),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("does not support SSL")));
}

}  // namespace
}  // namespace northwind::testing
