#pragma once

#include "world.hpp"

/// Users with passwords in a World.
namespace natkit::edge::test {

inline Settings closed() {
    Settings result = settings();
    result.open_registrar = false;
    return result;
}

/// Passwords are the names.
inline Settings with_users() {
    Settings result = closed();
    const auto hash = World::secrets().hash;
    auto users = std::make_shared<sip::Users>();
    for (const char* name : {"alice", "nora", "ned", "wendy"}) {
        for (const auto algorithm : sip::digest_algorithms) {
            users->add(name, "example.com", algorithm, hash(algorithm, std::string(name) + ":example.com:" + name));
        }
    }
    result.users = std::move(users);
    return result;
}

/// What a challenge says under that key, in quotes.
inline std::string value_of(const std::string& challenge, const std::string& key) {
    const std::size_t at = challenge.find(key + "=\"") + key.size() + 2;
    return challenge.substr(at, challenge.find('"', at) - at);
}

/// The header field that answers a challenge.
inline std::string answer_to(const std::string& challenge, const std::string& method, const std::string& uri,
                             const std::string& user, const std::string& password, int count = 1) {
    const bool proxy = challenge.find("Proxy-Authenticate: ") != std::string::npos;
    const std::string value = header(challenge, proxy ? "Proxy-Authenticate" : "WWW-Authenticate");
    const std::string nonce = value_of(value, "nonce");
    const auto algorithm =
        value.find("SHA-256") != std::string::npos ? sip::DigestAlgorithm::sha256 : sip::DigestAlgorithm::md5;
    const auto hash = World::secrets().hash;
    const std::string nc = "0000000" + std::to_string(count);
    const std::string response = hash(algorithm, hash(algorithm, user + ":example.com:" + password) + ":" + nonce +
                                                     ":" + nc + ":c:auth:" + hash(algorithm, method + ":" + uri));
    return std::string(proxy ? "Proxy-" : "") + "Authorization: Digest username=\"" + user +
           "\", realm=\"example.com\", nonce=\"" + nonce + "\", uri=\"" + uri + "\", response=\"" + response +
           "\", algorithm=" + to_string(algorithm) + ", qop=auth, nc=" + nc + ", cnonce=\"c\"\r\n";
}

inline std::string registering(const Phone& phone, const std::string& extra, int cseq) {
    return phone.request("REGISTER", "sip:example.com", "<sip:" + phone.name + "@example.com>",
                         "Expires: 600\r\n" + extra, "", cseq);
}

/// Registers with a password; the final answer.
inline std::string sign_in(World& world, const Phone& phone, const std::string& password, int cseq = 1) {
    world.receive(phone, registering(phone, "", cseq));
    const std::string challenge = world.to(phone, "SIP/2.0 401");
    REQUIRE_FALSE(challenge.empty());
    world.receive(
        phone, registering(phone, answer_to(challenge, "REGISTER", "sip:example.com", phone.name, password), cseq + 1));
    return world.to(phone, "SIP/2.0 ");
}

}  // namespace natkit::edge::test
