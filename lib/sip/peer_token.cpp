#include "natkit/sip/peer_token.hpp"

#include <algorithm>

#include "natkit/base/hash.hpp"
#include "token_bytes.hpp"

namespace natkit::sip {
namespace {

constexpr std::string_view peer_kind = "peer token";
constexpr std::uint64_t format = 1;

/// A line break is in no Call-ID, and in no method.
Bytes sealed_for(const PeerContext& of) {
    Bytes context = context_of(peer_kind, of.call_id);
    const std::string rest = "\n" + std::to_string(of.cseq) + " " + std::string(of.method);
    context.insert(context.end(), rest.begin(), rest.end());
    return context;
}

/// One of an enumeration whose last value is `last`.
template <class Word>
std::optional<Word> take_word(std::span<const std::uint8_t>& in, Word last) {
    const auto number = take_number(in, 1);
    if (!number || *number > static_cast<std::uint64_t>(last)) return std::nullopt;
    return static_cast<Word>(*number);
}

std::optional<PeerToken> read(std::span<const std::uint8_t> in) {
    if (take_number(in, 1) != format) return std::nullopt;
    PeerToken token;
    for (std::uint64_t* number : {&token.from, &token.to, &token.epoch, &token.binding}) {
        const auto taken = take_number(in, 8);
        if (!taken) return std::nullopt;
        *number = *taken;
    }
    const auto source = take_endpoint(in);
    const auto sender = take_word(in, proxy::Sender::stranger);
    const auto place = take_word(in, nat::Place::far_end);
    const auto rule = take_word(in, nat::Rule::wan);
    if (!source || !sender || !place || !rule) return std::nullopt;
    token.source = *source;
    token.sender = *sender;
    token.place = *place;
    token.rule = *rule;
    if (in.empty()) return token;
    const auto claimed = take_endpoint(in);
    if (!claimed || claimed->port != 0 || !in.empty()) return std::nullopt;
    token.claimed = claimed->address;
    return token;
}

}  // namespace

std::uint64_t node_number(std::string_view node) noexcept {
    return std::max<std::uint64_t>(hash::mix(hash::fnv(hash::fnv_basis, node)), 1);
}

std::string encode(const PeerToken& token, const PeerContext& of, const Cipher& cipher) {
    Bytes content;
    put_number(content, format, 1);
    for (const std::uint64_t number : {token.from, token.to, token.epoch, token.binding})
        put_number(content, number, 8);
    put(content, token.source);
    put_number(content, static_cast<std::uint64_t>(token.sender), 1);
    put_number(content, static_cast<std::uint64_t>(token.place), 1);
    put_number(content, static_cast<std::uint64_t>(token.rule), 1);
    if (token.claimed) put(content, Endpoint{.address = *token.claimed, .port = 0});
    return to_base64url(cipher.seal(content, sealed_for(of)));
}

Result<PeerToken> decode_peer_token(std::string_view text, const PeerContext& of, const Cipher& cipher) {
    const auto bytes = token_bytes(text);
    const auto content = bytes ? cipher.open(*bytes, sealed_for(of)) : std::nullopt;
    return or_refused(content ? read(*content) : std::nullopt);
}

}  // namespace natkit::sip
