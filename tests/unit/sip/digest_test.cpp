#include "natkit/sip/digest.hpp"

#include <doctest/doctest.h>

#include <set>

#include <sofia-sip/su_md5.h>

using namespace natkit;
using namespace natkit::sip;
using namespace std::chrono_literals;
using Verdict = Authenticator::Verdict;

namespace {

const WallTime start = WallTime(1'700'000'000s);

/// Real MD5, by the library that is linked anyway; SHA-256 stands in as a marked MD5.
std::string hash(DigestAlgorithm algorithm, std::string_view text) {
    su_md5_t context[1];
    char digest[SU_MD5_DIGEST_SIZE * 2 + 1];
    su_md5_init(context);
    su_md5_update(context, text.data(), static_cast<usize_t>(text.size()));
    su_md5_hexdigest(context, digest);
    return std::string(digest) + (algorithm == DigestAlgorithm::sha256 ? "2" : "");
}

std::array<std::uint8_t, 32> mac(std::span<const std::uint8_t> data) {
    std::array<std::uint8_t, 32> code{};
    for (std::size_t i = 0; i < data.size(); ++i) {
        code[i % 12] = static_cast<std::uint8_t>(code[i % 12] * 31 + data[i] + i);
    }
    return code;
}

struct Gate {
    Users users;
    Authenticator authenticator;

    explicit Gate(const std::string& run = "run", std::size_t nonces = 100)
        : authenticator(mac, hash, run, {.nonce_life = 300s, .nonces = nonces}) {
        users.add("bob", "example.com", DigestAlgorithm::md5, hash(DigestAlgorithm::md5, "bob:example.com:secret"));
    }
    std::string nonce(WallTime now, const std::string& salt = "salt") const {
        const std::string value =
            authenticator.challenge("example.com", "bob", users, "198.51.100.7", salt, false, now).at(0);
        const std::size_t at = value.find("nonce=\"") + 7;
        return value.substr(at, value.find('"', at) - at);
    }
    static Credentials credentials(const std::string& nonce, unsigned count, const std::string& password = "secret",
                                   const std::string& user = "bob") {
        const auto h = [](const std::string& text) { return hash(DigestAlgorithm::md5, text); };
        constexpr char digits[] = "0123456789abcdef";
        const std::string nc = {'0',
                                '0',
                                '0',
                                '0',
                                digits[count >> 12 & 15],
                                digits[count >> 8 & 15],
                                digits[count >> 4 & 15],
                                digits[count & 15]};
        return {.username = user,
                .realm = "example.com",
                .nonce = nonce,
                .uri = "sip:example.com",
                .response = h(h(user + ":example.com:" + password) + ":" + nonce + ":" + nc +
                              ":c:auth:" + h("REGISTER:sip:example.com")),
                .algorithm = DigestAlgorithm::md5,
                .qop = "auth",
                .cnonce = "c",
                .nc = nc};
    }
    Verdict verify(const Credentials& given, WallTime now = start + 1s, std::string_view site = "198.51.100.7") {
        return authenticator.verify(given, "REGISTER", users, site, now);
    }
};

}  // namespace

TEST_CASE("Credentials::parse") {
    const auto good = Credentials::parse(
        "Digest username=\"bo\\\"b\", realm=\"a, b\",nonce=\"n\", uri=\"sip:x\" , response=\"ABCD\", "
        "algorithm=sha-256, "
        "qop=auth, nc=00000001, cnonce=\"c\"");
    REQUIRE(good);
    CHECK(good->username == "bo\"b");
    CHECK(good->realm == "a, b");
    CHECK(good->response == "abcd");
    CHECK(good->algorithm == DigestAlgorithm::sha256);
    for (const char* bad : {"", "Basic abc", "Digest", "Digest username=\"x\"", "Digest username=\"x",
                            "Digest =,=,=", "Digest username=\"x\", nonce=\"n\", response=\"r\", algorithm=MD5-sess"}) {
        CAPTURE(bad);
        CHECK_FALSE(Credentials::parse(bad));
    }
}

TEST_CASE("the response of RFC 2617 section 3.5") {
    Authenticator authenticator(mac, hash, "run");
    Users users;
    const std::string ha1 = hash(DigestAlgorithm::md5, "Mufasa:testrealm@host.com:Circle Of Life");
    users.add("Mufasa", "testrealm@host.com", DigestAlgorithm::md5, ha1);
    const auto credentials = Credentials::parse(
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
        "uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", "
        "response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"");
    REQUIRE(credentials);
    CHECK(digest_response(*credentials, "GET", ha1, hash) == credentials->response);
    CHECK(digest_response(*credentials, "POST", ha1, hash) != credentials->response);
    // The nonce is not ours.
    CHECK(authenticator.verify(*credentials, "GET", users, "", start) == Verdict::stale);
    CHECK(authenticator.verify(*credentials, "POST", users, "", start) == Verdict::stale);
}

TEST_CASE("Authenticator: each count of a nonce once, in any order within a window") {
    Gate gate;
    const std::string nonce = gate.nonce(start);
    struct Step {
        const char* why;
        unsigned count;
        Verdict want;
    };
    constexpr Step steps[] = {{"first", 1, Verdict::good},         {"again", 1, Verdict::stale},
                              {"next", 2, Verdict::good},          {"one left out", 4, Verdict::good},
                              {"it comes late", 3, Verdict::good}, {"and again", 3, Verdict::stale},
                              {"far ahead", 300, Verdict::good},   {"far behind", 200, Verdict::stale},
                              {"within", 290, Verdict::good},      {"within again", 290, Verdict::stale}};
    for (const Step& step : steps) {
        CAPTURE(step.why);
        CHECK(gate.verify(Gate::credentials(nonce, step.count)) == step.want);
    }
}

TEST_CASE("Authenticator: what is not accepted") {
    Gate gate;
    const std::string nonce = gate.nonce(start);
    CHECK(gate.verify(Gate::credentials(nonce, 1, "Secret")) == Verdict::wrong);
    CHECK(gate.verify(Gate::credentials(nonce, 1, "secret", "eve")) == Verdict::wrong);
    CHECK(gate.authenticator.remembered() == 0);
    CHECK(gate.verify(Gate::credentials(nonce, 1), start + 301s) == Verdict::stale);
    std::string forged = nonce;
    forged[9] = forged[9] == '0' ? '1' : '0';
    CHECK(gate.verify(Gate::credentials(forged, 1)) == Verdict::stale);
    CHECK(gate.verify(Gate::credentials("x", 1)) == Verdict::stale);
    CHECK(gate.verify(Gate::credentials(nonce, 1), start + 1s, "198.51.100.8") == Verdict::stale);  // not sent there
    // Nothing is told of a password that comes with another's nonce, or with a made-up one.
    CHECK(gate.verify(Gate::credentials(nonce, 1, "Secret"), start + 1s, "198.51.100.8") == Verdict::stale);
    CHECK(gate.verify(Gate::credentials(forged, 1, "Secret")) == Verdict::stale);
    CHECK(gate.verify(Gate::credentials(nonce, 1, "Secret"), start + 301s) == Verdict::wrong);
    CHECK(Gate("another run").verify(Gate::credentials(nonce, 1)) == Verdict::stale);
    CHECK(gate.verify(Gate::credentials(nonce, 1)) == Verdict::good);
    CHECK(gate.authenticator.verify(Gate::credentials(nonce, 2), "INVITE", gate.users, "198.51.100.7", start) ==
          Verdict::wrong);
}

TEST_CASE("Authenticator: memory is bounded, and what is forgotten is not accepted again") {
    Gate gate("run", 10);
    const std::string old = gate.nonce(start);
    REQUIRE(gate.verify(Gate::credentials(old, 1)) == Verdict::good);
    for (int i = 1; i <= 20; ++i) {
        const std::string nonce = gate.nonce(start + std::chrono::seconds(i));
        CHECK(gate.verify(Gate::credentials(nonce, 1), start + std::chrono::seconds(i)) == Verdict::good);
    }
    CHECK(gate.authenticator.remembered() == 10);
    CHECK(gate.verify(Gate::credentials(old, 1)) == Verdict::stale);
    const std::string fresh = gate.nonce(start + 400s);
    CHECK(gate.verify(Gate::credentials(fresh, 1), start + 400s) == Verdict::good);
    CHECK(gate.authenticator.remembered() == 1);
}

TEST_CASE("Authenticator: the algorithms a user is offered") {
    Users users;
    users.add("both", "r", DigestAlgorithm::md5, "1");
    users.add("both", "r", DigestAlgorithm::sha256, "2");
    users.add("old", "r", DigestAlgorithm::md5, "3");
    const Authenticator authenticator(mac, hash, "run");
    const auto offered = [&](const char* user) {
        std::string all;
        for (const std::string& value : authenticator.challenge("r", user, users, "", "s", false, start)) {
            all += value.find("SHA-256") != std::string::npos ? "s" : "m";
        }
        return all;
    };
    CHECK(offered("both") == "sm");
    CHECK(offered("old") == "m");
    // Somebody who is not there looks like one or the other of those who are, always like the same one.
    std::set<std::string> seen;
    for (const char letter : std::string("abcdefghijklmnop")) {
        const std::string nobody = std::string("no") + letter;
        const std::string first = offered(nobody.c_str());
        CHECK(first == offered(nobody.c_str()));
        seen.insert(first);
    }
    CHECK(seen == std::set<std::string>{"sm", "m"});
}
