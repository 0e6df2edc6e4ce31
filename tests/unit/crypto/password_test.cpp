#include "natkit/crypto/password.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using crypto::PasswordRecord;

TEST_CASE("crypto::PasswordRecord: a known value of scrypt") {
    // RFC 7914 section 12: P="password", S="NaCl", N=1024, r=8, p=16; the salt is too short for a record of ours, so
    // the second with N=16384: P="pleaseletmein", S="SodiumChloride".
    const auto record = PasswordRecord::parse(
        "scrypt:14:8:1:536f6469756d43686c6f72696465:"
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e"
        "40"
        "dfcf017b45575887");
    REQUIRE(record);
    CHECK(record->matches("pleaseletmein"));
    CHECK(!record->matches("pleaseletmeim"));
    CHECK(!record->matches(""));
}

TEST_CASE("crypto::PasswordRecord: made, written, read") {
    const auto made = PasswordRecord::make("s3cret word", {.log_n = 4, .r = 8, .p = 1});
    const auto read = PasswordRecord::parse(made.text());
    REQUIRE(read);
    CHECK(*read == made);
    CHECK(read->matches("s3cret word"));
    CHECK(PasswordRecord::make("s3cret word", {.log_n = 4, .r = 8, .p = 1}).text() != made.text());  // another salt
}

TEST_CASE("crypto::PasswordRecord: what is none") {
    const std::string salt = "00112233445566778899aabbccddeeff";
    for (const std::string& text :
         {std::string(), std::string("scrypt"), "scrypt:15:8:1:" + salt, "bcrypt:15:8:1:" + salt + ":" + salt,
          "scrypt:0:8:1:" + salt + ":" + salt, "scrypt:15:0:1:" + salt + ":" + salt, "scrypt:15:8:1:0011:" + salt,
          "scrypt:15:8:1:" + salt + ":00", "scrypt:15:8:1:" + salt + ":" + salt + "0",
          "scrypt:15:8:1:" + salt + ":" + salt + ":1", "scrypt:24:8:1:" + salt + ":" + salt,  // 16 GB
          "scrypt:15:8:-1:" + salt + ":" + salt, "scrypt:15:8:1:" + salt + ":zz" + salt}) {
        CAPTURE(text);
        CHECK(!PasswordRecord::parse(text));
    }
}

TEST_CASE("crypto::same_secret") {
    CHECK(crypto::same_secret("abc", "abc"));
    CHECK(!crypto::same_secret("abc", "abd"));
    CHECK(!crypto::same_secret("abc", "ab"));
}
