// What stands in a token, whoever sealed it, and its text: any bytes give a token or none, and what is read is written
// the same.
// links: sip
#include <algorithm>
#include <cassert>
#include <cstdint>
#include <string_view>

#include "natkit/sip/flow.hpp"
#include "natkit/sip/peer_token.hpp"

using namespace natkit;

namespace {

/// Hides nothing and proves nothing: what matters is behind it.
sip::Cipher open_cipher() {
    return {.seal = [](auto plain, auto) { return sip::Cipher::Bytes(plain.begin(), plain.end()); },
            .open = [](auto sealed, auto) -> std::optional<sip::Cipher::Bytes> {
                return sip::Cipher::Bytes(sealed.begin(), sealed.end());
            }};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const sip::Cipher cipher = open_cipher();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto token = sip::decode_dialog_token(text, "call", cipher)) {
        const auto again = sip::decode_dialog_token(sip::encode(*token, "call", cipher), "call", cipher);
        assert(again && *again == *token && again->edge == token->edge && again->start == token->start);
    }
    if (const auto token = sip::decode_client_token(text, cipher)) {
        assert(sip::decode_client_token(sip::encode(*token, cipher), cipher) == *token);
    }
    const sip::PeerContext context{.call_id = "call", .cseq = 1, .method = "INVITE"};
    if (const auto token = sip::decode_peer_token(text, context, cipher)) {
        assert(sip::decode_peer_token(sip::encode(*token, context, cipher), context, cipher) == *token);
    }
    return 0;
}
