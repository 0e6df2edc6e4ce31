#include "natkit/crypto/tls.hpp"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

using namespace natkit;
using namespace natkit::crypto;

namespace {

/// A certificate of its own authority for a name, in files that go with it.
struct Files {
    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("natkit-tls-" + std::to_string(::getpid()));
    std::string certificate = (folder / "certificate.pem").string();
    std::string key = (folder / "key.pem").string();

    explicit Files(const char* names) {
        std::filesystem::create_directories(folder);
        EVP_PKEY* pair = ::EVP_EC_gen("P-256");
        X509* made = ::X509_new();
        ::ASN1_INTEGER_set(::X509_get_serialNumber(made), 1);
        ::X509_gmtime_adj(::X509_getm_notBefore(made), -3600);
        ::X509_gmtime_adj(::X509_getm_notAfter(made), 3600);
        ::X509_set_pubkey(made, pair);
        ::X509_set_version(made, 2);
        X509_NAME* name = ::X509_get_subject_name(made);
        ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1,
                                     0);
        ::X509_set_issuer_name(made, name);
        X509_EXTENSION* alternative = ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
        ::X509_add_ext(made, alternative, -1);
        ::X509_EXTENSION_free(alternative);
        ::X509_sign(made, pair, ::EVP_sha256());
        std::FILE* file = std::fopen(certificate.c_str(), "w");
        REQUIRE(file != nullptr);
        ::PEM_write_X509(file, made);
        std::fclose(file);
        file = std::fopen(key.c_str(), "w");
        REQUIRE(file != nullptr);
        ::PEM_write_PrivateKey(file, pair, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(file);
        ::X509_free(made);
        ::EVP_PKEY_free(pair);
    }
    ~Files() { std::filesystem::remove_all(folder); }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
};

/// Carries bytes between two ends, some at a time, until both are silent. What each end said, or why it failed.
struct Ends {
    TlsSession client;
    TlsSession server;
    std::string client_heard{}, server_heard{}, client_error{}, server_error{};

    void carry(std::size_t piece) {
        for (bool busy = true; busy;) {
            busy = step(client, server, server_heard, server_error, piece);
            busy = step(server, client, client_heard, client_error, piece) || busy;
        }
    }
    static bool step(TlsSession& from, TlsSession& to, std::string& heard, std::string& error, std::size_t piece) {
        const std::string bytes = from.outgoing();
        for (std::size_t at = 0; at < bytes.size() && error.empty(); at += piece) {
            const auto plain = to.receive(std::string_view(bytes).substr(at, piece));
            if (plain) {
                heard += *plain;
            } else {
                error = plain.error().message;
            }
        }
        return !bytes.empty();
    }
};

Ends ends(const std::shared_ptr<const TlsContext>& context, const char* name) {
    return {.client = TlsSession::connect(context, name).value(), .server = TlsSession::accept(context).value()};
}

}  // namespace

TEST_CASE("TlsSession: both ways, what is said before the handshake too, however it is cut") {
    const Files files("DNS:sip.example.com,IP:203.0.113.10,IP:2001:db8::10");
    const auto context =
        TlsContext::load({.certificate = files.certificate, .key = files.key, .ca = files.certificate}).value();
    for (const char* name : {"sip.example.com", "203.0.113.10", "2001:db8::10"}) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::size_t{100'000}}) {
            CAPTURE(name);
            Ends both = ends(context, name);
            CHECK(both.client.send("early"));
            CHECK_FALSE(both.client.established());
            both.carry(piece);
            CHECK(both.client.established());
            CHECK(both.server_heard == "early");
            const std::string much(100'000, 'x');
            CHECK(both.server.send(much));
            both.carry(piece);
            CHECK(both.client_heard == much);
            CHECK(both.client_error + both.server_error == "");
        }
    }
}

TEST_CASE("TlsSession: a certificate for another name, or of nobody, is refused") {
    const Files files("DNS:sip.example.com,DNS:*.wild.example");
    const auto trusting =
        TlsContext::load({.certificate = files.certificate, .key = files.key, .ca = files.certificate}).value();
    const auto doubting = TlsContext::load({.certificate = files.certificate, .key = files.key, .ca = {}}).value();
    for (const char* name : {"other.example.com", "203.0.113.10", "a.wild.example"}) {
        CAPTURE(name);
        Ends both = ends(trusting, name);
        both.carry(1000);
        CHECK(both.client_error.find("its certificate") != std::string::npos);
        CHECK_FALSE(both.client.established());
    }
    Ends both = ends(doubting, "sip.example.com");
    both.carry(1000);
    CHECK(both.client_error.find("its certificate") != std::string::npos);
}

TEST_CASE("TlsContext: the system's roots are trusted, and read when somebody is to be verified by them") {
    const Files files("DNS:sip.example.com");
    const auto context = TlsContext::load({.certificate = files.certificate, .key = files.key, .ca = {}}).value();
    REQUIRE(::setenv("SSL_CERT_FILE", files.certificate.c_str(), 1) == 0);  // where OpenSSL looks for them
    Ends both = ends(context, "sip.example.com");
    ::unsetenv("SSL_CERT_FILE");
    both.carry(1000);
    CHECK(both.client.established());
    CHECK(both.client_error == "");
    Ends again = ends(context, "sip.example.com");
    again.carry(1000);
    CHECK(again.client.established());
}

TEST_CASE("TlsSession: nonsense ends it, and what waits is bounded") {
    const Files files("DNS:sip.example.com");
    const auto context = TlsContext::load({.certificate = files.certificate, .key = files.key, .ca = {}}).value();
    TlsSession server = TlsSession::accept(context).value();
    CHECK_FALSE(server.receive("OPTIONS sip:a@b SIP/2.0\r\n\r\n").has_value());
    TlsSession client = TlsSession::connect(context, "sip.example.com").value();
    const std::string much(100'000, 'x');
    CHECK(client.send(much));
    CHECK(client.send(much));
    CHECK_FALSE(client.send(much).has_value());
}

TEST_CASE("TlsContext: files that do not serve are named") {
    const Files files("DNS:sip.example.com");
    for (const TlsFiles& wrong : {TlsFiles{.certificate = "/nowhere", .key = files.key, .ca = {}},
                                  TlsFiles{.certificate = files.certificate, .key = "/nowhere", .ca = {}},
                                  TlsFiles{.certificate = files.certificate, .key = files.certificate, .ca = {}},
                                  TlsFiles{.certificate = {}, .key = {}, .ca = "/nowhere"}}) {
        const auto context = TlsContext::load(wrong);
        REQUIRE_FALSE(context.has_value());
        CHECK(context.error().code == Errc::bad_config);
        CHECK(context.error().message.starts_with("/"));
    }
    CHECK_FALSE(TlsSession::accept(TlsContext::load({}).value()).has_value());
}

TEST_CASE("read_certificate: its time, its names, and of the asked ones those it is not for") {
    const Files files("DNS:edge.example.com,DNS:*.example.net,IP:203.0.113.10");
    const auto read = read_certificate(
        files.certificate, {"edge.example.com", "pbx.example.net", "203.0.113.10", "example.com", "203.0.113.11"});
    REQUIRE(read);
    CHECK(read->names == std::vector<std::string>{"edge.example.com", "*.example.net", "203.0.113.10"});
    CHECK(read->not_for == std::vector<std::string>{"example.com", "203.0.113.11"});
    CHECK(read->not_after - read->not_before == std::chrono::hours(2));
}

TEST_CASE("TlsContext: the file that is wrong is named by its key, and a mistaken one by what it holds") {
    const Files files("DNS:edge.example.com");
    const auto error = [](const std::string& certificate, const std::string& key) {
        return TlsContext::load({.certificate = certificate, .key = key, .ca = {}}).error();
    };
    CHECK(error(files.key, files.key).where == "certificate");
    CHECK(error(files.key, files.key).message == files.key + ": holds a private key and no certificate");
    CHECK(error(files.certificate, files.certificate).where == "key");
    CHECK(error(files.certificate, files.certificate).message ==
          files.certificate + ": holds a certificate and no private key");
    CHECK(read_certificate(files.key, {}).error().where == "certificate");
}
