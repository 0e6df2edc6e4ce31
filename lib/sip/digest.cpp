#include "natkit/sip/digest.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

constexpr std::size_t stamp_size = 10;  ///< seconds since 1970, hexadecimal, so that nonces sort by age
constexpr std::size_t seal_size = 24;   ///< 96 bits

/// The time this takes tells nothing of where they differ.
bool same(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    }
    return difference == 0;
}

std::int64_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

/// A quoted-string without its quotes and escapes, or a token as it is.
std::string unquoted(std::string_view text) {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
    std::string plain;
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        if (text[i] == '\\' && i + 2 < text.size()) ++i;
        plain += text[i];
    }
    return plain;
}

/// Cuts at commas outside quotes.
std::vector<std::string_view> fields_of(std::string_view text) {
    std::vector<std::string_view> fields;
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i < text.size() && quoted && text[i] == '\\') {
            ++i;
        } else if (i < text.size() && text[i] == '"') {
            quoted = !quoted;
        } else if (i == text.size() || (!quoted && text[i] == ',')) {
            fields.push_back(text::trim(text.substr(begin, i - begin)));
            begin = i + 1;
        }
    }
    return fields;
}

std::string key_of(std::string_view user, std::string_view realm, DigestAlgorithm algorithm) {
    return std::string(user) + ':' + std::string(realm) + ':' + to_string(algorithm);
}

}  // namespace

const char* to_string(DigestAlgorithm algorithm) noexcept {
    return algorithm == DigestAlgorithm::md5 ? "MD5" : "SHA-256";
}

void Users::add(std::string_view user, std::string_view realm, DigestAlgorithm algorithm, std::string ha1) {
    auto known = std::ranges::find(realms_, realm, &Realm::name);
    if (known == realms_.end()) known = realms_.insert(known, {.name = std::string(realm), .users = {}});
    const bool listed = std::ranges::any_of(digest_algorithms,
                                            [&](DigestAlgorithm other) { return find(user, realm, other) != nullptr; });
    if (!listed) known->users.emplace_back(user);
    by_name_[key_of(user, realm, algorithm)] = std::move(ha1);
}

const std::string* Users::find(std::string_view user, std::string_view realm, DigestAlgorithm algorithm) const {
    const auto found = by_name_.find(key_of(user, realm, algorithm));
    return found == by_name_.end() ? nullptr : &found->second;
}

bool Users::knows_realm(std::string_view realm) const {
    return std::ranges::find(realms_, realm, &Realm::name) != realms_.end();
}

std::string Users::realm_of(std::string_view domain) const {
    if (realms_.empty() || knows_realm(domain)) return std::string(domain);
    return realms_.front().name;
}

std::vector<DigestAlgorithm> Users::algorithms_of(std::string_view user, std::string_view realm,
                                                  std::uint64_t pick) const {
    std::vector<DigestAlgorithm> own;
    for (const DigestAlgorithm algorithm : digest_algorithms) {
        if (find(user, realm, algorithm) != nullptr) own.push_back(algorithm);
    }
    if (!own.empty()) return own;
    const auto known = std::ranges::find(realms_, realm, &Realm::name);
    if (known == realms_.end() || known->users.empty()) return {DigestAlgorithm::md5};
    return algorithms_of(known->users[pick % known->users.size()], realm, pick);
}

std::string challenge_field(std::string_view value, std::string_view name) {
    if (text::istarts_with(value, "Digest ")) value.remove_prefix(7);
    for (const std::string_view field : fields_of(value)) {
        const std::size_t equals = field.find('=');
        if (equals == std::string_view::npos || !text::iequals(text::trim(field.substr(0, equals)), name)) continue;
        return unquoted(text::trim(field.substr(equals + 1)));
    }
    return {};
}

Result<Credentials> Credentials::parse(std::string_view value) {
    const auto bad = [](const char* what) { return fail(Errc::bad_input, std::string("credentials: ") + what); };
    if (!text::istarts_with(value, "Digest")) return bad("another scheme than Digest");
    if (value.size() > 4096) return bad("too long");
    Credentials credentials;
    std::string algorithm = "MD5";
    const std::array<std::pair<std::string_view, std::string*>, 9> known = {{{"username", &credentials.username},
                                                                             {"realm", &credentials.realm},
                                                                             {"nonce", &credentials.nonce},
                                                                             {"uri", &credentials.uri},
                                                                             {"response", &credentials.response},
                                                                             {"algorithm", &algorithm},
                                                                             {"qop", &credentials.qop},
                                                                             {"cnonce", &credentials.cnonce},
                                                                             {"nc", &credentials.nc}}};
    for (const std::string_view field : fields_of(value.substr(6))) {
        const std::size_t equals = field.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string_view name = text::trim(field.substr(0, equals));
        const auto* found =
            std::ranges::find_if(known, [&](const auto& one) { return text::iequals(one.first, name); });
        if (found != known.end()) *found->second = unquoted(text::trim(field.substr(equals + 1)));
    }
    if (text::iequals(algorithm, "SHA-256")) {
        credentials.algorithm = DigestAlgorithm::sha256;
    } else if (!text::iequals(algorithm, "MD5")) {
        return bad("unknown algorithm");
    }
    if (credentials.username.empty() || credentials.nonce.empty() || credentials.response.empty()) {
        return bad("incomplete");
    }
    credentials.response = text::lower(credentials.response);
    return credentials;
}

Authenticator::Authenticator(Mac mac, Hash hash, std::string run, const Limits& limits)
    : mac_(std::move(mac)), hash_(std::move(hash)), run_(std::move(run)), limits_(limits) {}

std::string Authenticator::seal(std::string_view stamp_and_salt, std::string_view realm, std::string_view site) const {
    std::string content = "nonce\n" + run_ + '\n';
    content += stamp_and_salt;
    content += '\n';
    content += realm;
    content += '\n';
    content += site;
    const auto code =
        mac_(std::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(content.data()), content.size()));
    return text::hex(std::span(code).first(seal_size / 2));
}

std::vector<std::string> Authenticator::challenge(std::string_view realm, std::string_view user, const Users& users,
                                                  std::string_view site, std::string_view salt, bool stale,
                                                  WallTime now) const {
    std::string nonce = text::hex(static_cast<std::uint64_t>(seconds_of(now)), stamp_size) + std::string(salt);
    nonce += seal(nonce, realm, site);
    std::vector<std::string> values;
    const std::string name = "user\n" + std::string(user);
    const auto code =
        mac_(std::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(name.data()), name.size()));
    std::uint64_t pick = 0;
    for (std::size_t i = 0; i < 8; ++i) pick = pick << 8 | code[i];
    for (const DigestAlgorithm algorithm : users.algorithms_of(user, realm, pick)) {
        values.push_back("Digest realm=\"" + std::string(realm) + "\", nonce=\"" + nonce +
                         "\", algorithm=" + to_string(algorithm) + ", qop=\"auth\"" + (stale ? ", stale=true" : ""));
    }
    return values;
}

std::optional<std::int64_t> Authenticator::made_at(std::string_view nonce, std::string_view realm,
                                                   std::string_view site) const {
    if (nonce.size() <= stamp_size + seal_size || nonce.size() > 200) return std::nullopt;
    const std::string_view content = nonce.substr(0, nonce.size() - seal_size);
    if (!same(nonce.substr(content.size()), seal(content, realm, site))) return std::nullopt;
    const auto stamp = text::parse_hex(content.substr(0, stamp_size));
    return stamp ? std::optional(static_cast<std::int64_t>(*stamp)) : std::nullopt;
}

bool Authenticator::use(const std::string& nonce, std::int64_t made, std::uint32_t count, WallTime now) {
    constexpr std::uint32_t width = 64;
    const std::int64_t oldest = seconds_of(now) - limits_.nonce_life.count();
    while (!used_.empty() && used_.begin()->first < text::hex(static_cast<std::uint64_t>(oldest), stamp_size)) {
        used_.erase(used_.begin());
    }
    if (made < oldest || made <= forgotten_) return false;
    const auto [at, fresh] = used_.try_emplace(nonce, Window{.highest = count, .seen = 1});
    if (fresh) {
        if (used_.size() > limits_.nonces) {
            const auto first = used_.begin();
            forgotten_ = static_cast<std::int64_t>(
                text::parse_hex(std::string_view(first->first).substr(0, stamp_size)).value_or(0));
            used_.erase(first);
        }
        return true;
    }
    Window& window = at->second;
    if (count > window.highest) {
        const std::uint32_t ahead = count - window.highest;
        window.seen = (ahead < width ? window.seen << ahead : 0) | 1;
        window.highest = count;
        return true;
    }
    const std::uint32_t behind = window.highest - count;
    if (behind >= width || (window.seen >> behind & 1) != 0) return false;
    window.seen |= std::uint64_t{1} << behind;
    return true;
}

std::string digest_response(const Credentials& credentials, std::string_view method, const std::string& ha1,
                            const Hash& hash) {
    const std::string ha2 = hash(credentials.algorithm, std::string(method) + ':' + credentials.uri);
    const std::string middle =
        credentials.qop.empty() ? ":" : ':' + credentials.nc + ':' + credentials.cnonce + ':' + credentials.qop + ':';
    return hash(credentials.algorithm, ha1 + ':' + credentials.nonce + middle + ha2);
}

/// Without a nonce that was sent to that site nothing is said of the password: whoever guesses receives our answers,
/// and who is said to have guessed has.
Authenticator::Verdict Authenticator::verify(const Credentials& credentials, std::string_view method,
                                             const Users& users, std::string_view site, WallTime now) {
    const auto made = made_at(credentials.nonce, credentials.realm, site);
    if (!made) return Verdict::stale;
    const std::string* ha1 = users.find(credentials.username, credentials.realm, credentials.algorithm);
    const bool counted = !credentials.qop.empty();
    if (counted && !text::iequals(credentials.qop, "auth")) return Verdict::wrong;
    const auto count = counted ? text::parse_hex(text::lower(credentials.nc)) : std::optional<std::uint64_t>(0);
    // The work is the same for somebody who does not exist.
    const std::string key = ha1 == nullptr ? std::string(32, '0') : *ha1;
    if (!same(digest_response(credentials, method, key, hash_), credentials.response) || ha1 == nullptr)
        return Verdict::wrong;
    if (!count || *count > 0xffffffff) return Verdict::wrong;
    return use(credentials.nonce, *made, static_cast<std::uint32_t>(*count), now) ? Verdict::good : Verdict::stale;
}

}  // namespace natkit::sip
