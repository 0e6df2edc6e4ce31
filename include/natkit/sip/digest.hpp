#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/base/time.hpp"
#include "natkit/sip/flow.hpp"

/// Digest authentication of SIP (RFC 3261 section 22, RFC 7616, RFC 8760): qop "auth", MD5 and SHA-256.
namespace natkit::sip {

enum class DigestAlgorithm : std::uint8_t { md5, sha256 };
inline constexpr std::array digest_algorithms = {DigestAlgorithm::sha256, DigestAlgorithm::md5};  ///< the better first

/// "MD5", "SHA-256": as in the header field.
[[nodiscard]] const char* to_string(DigestAlgorithm algorithm) noexcept;

/// The lower-case hexadecimal digest of a text; the cryptography is the caller's.
using Hash = std::function<std::string(DigestAlgorithm, std::string_view)>;

/// The passwords of a users file, each as its HA1 = H(user:realm:password).
class Users {
  public:
    void add(std::string_view user, std::string_view realm, DigestAlgorithm algorithm, std::string ha1);
    /// The HA1, or null.
    [[nodiscard]] const std::string* find(std::string_view user, std::string_view realm,
                                          DigestAlgorithm algorithm) const;
    /// Which algorithms a user can be asked for, the better first. Somebody unknown looks like one of the realm's
    /// users: `pick`, always the same for the same name, says like which.
    [[nodiscard]] std::vector<DigestAlgorithm> algorithms_of(std::string_view user, std::string_view realm,
                                                             std::uint64_t pick) const;
    [[nodiscard]] bool empty() const noexcept { return by_name_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return by_name_.size(); }
    [[nodiscard]] bool knows_realm(std::string_view realm) const;
    /// The realm in which users of a domain have their passwords: the domain itself where the file has it, else the
    /// file's first one.
    [[nodiscard]] std::string realm_of(std::string_view domain) const;

    friend bool operator==(const Users&, const Users&) = default;

  private:
    std::map<std::string, std::string, std::less<>> by_name_;  ///< "user:realm:MD5" → HA1
    struct Realm {
        std::string name;
        std::vector<std::string> users;

        friend bool operator==(const Realm&, const Realm&) = default;
    };
    std::vector<Realm> realms_;  ///< in the file's order
};

/// One field of a Digest challenge or of an Authentication-Info ("nonce", "realm", "nextnonce"), without its quotes;
/// empty where there is none, or the scheme is another one.
[[nodiscard]] std::string challenge_field(std::string_view value, std::string_view name);

/// An Authorization or Proxy-Authorization header field.
struct Credentials {
    std::string username;
    std::string realm;
    std::string nonce;
    std::string uri;
    std::string response;  ///< lower case
    DigestAlgorithm algorithm = DigestAlgorithm::md5;
    std::string qop;  ///< "auth", or empty (RFC 2069)
    std::string cnonce;
    std::string nc;  ///< eight hexadecimal digits

    /// Fails on other schemes, unknown algorithms and missing fields.
    [[nodiscard]] static Result<Credentials> parse(std::string_view value);
};

/// Issues challenges and judges what comes back. A nonce is its own proof (time and keyed hash), so a challenge costs
/// no memory; only a nonce that was used well is remembered, with a window of the counts seen, until it is too old.
/// Nothing is accepted twice: not after this memory overflowed (older nonces are stale then), nor after a restart.
class Authenticator {
  public:
    struct Limits {
        std::chrono::seconds nonce_life{300};
        std::size_t nonces = 20'000;
    };
    enum class Verdict : std::uint8_t {
        good,
        stale,  ///< the nonce is not ours or another site's, whatever the password; or the password is right, and the
                ///< nonce too old or its count used: a new challenge with stale=true
        wrong,
    };

    /// `run` differs from start to start: nonces of another run are stale.
    Authenticator(Mac mac, Hash hash, std::string run)
        : Authenticator(std::move(mac), std::move(hash), std::move(run), Limits()) {}
    Authenticator(Mac mac, Hash hash, std::string run, const Limits& limits);

    /// The values of the WWW-Authenticate (Proxy-Authenticate) header fields of a challenge, the better algorithm first
    /// (RFC 8760 section 2.3). A user of whom only one kind of HA1 is kept is offered that alone.
    /// `salt` is unguessable and new each time. `site`: where the challenge is sent to; its nonces are stale from
    /// anywhere else, so that an answer is a sign that its sender receives what is sent there.
    [[nodiscard]] std::vector<std::string> challenge(std::string_view realm, std::string_view user, const Users& users,
                                                     std::string_view site, std::string_view salt, bool stale,
                                                     WallTime now) const;

    /// `site`: where the credentials came from, written as for challenge().
    [[nodiscard]] Verdict verify(const Credentials& credentials, std::string_view method, const Users& users,
                                 std::string_view site, WallTime now);

    [[nodiscard]] std::size_t remembered() const noexcept { return used_.size(); }

  private:
    struct Window {
        std::uint32_t highest = 0;
        std::uint64_t seen = 0;  ///< bit n: the count `highest` - n was used
    };

    [[nodiscard]] std::string seal(std::string_view stamp_and_salt, std::string_view realm,
                                   std::string_view site) const;
    /// When the nonce was made, if we made it in this run for that site.
    [[nodiscard]] std::optional<std::int64_t> made_at(std::string_view nonce, std::string_view realm,
                                                      std::string_view site) const;
    [[nodiscard]] bool use(const std::string& nonce, std::int64_t made, std::uint32_t count, WallTime now);

    Mac mac_;
    Hash hash_;
    std::string run_;
    Limits limits_;
    std::map<std::string, Window> used_;  ///< by nonce; nonces sort by age
    std::int64_t forgotten_ = 0;          ///< nonces as old as this or older are stale: their windows may be gone
};

/// The response that credentials must have for a request of that method (RFC 7616 section 3.4.1).
[[nodiscard]] std::string digest_response(const Credentials& credentials, std::string_view method,
                                          const std::string& ha1, const Hash& hash);

}  // namespace natkit::sip
