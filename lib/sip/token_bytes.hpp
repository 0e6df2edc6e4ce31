#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/sip/flow.hpp"

/// What tokens are made of: numbers in network byte order, and letters that a URI can hold. Reading is total: what is
/// taken is cut off the front.
namespace natkit::sip {

using Bytes = Cipher::Bytes;

inline constexpr std::size_t longest_token = 240;  ///< letters

[[nodiscard]] std::string to_base64url(const Bytes& bytes);
/// The bytes that exactly this text stands for; none of more than longest_token letters.
[[nodiscard]] std::optional<Bytes> token_bytes(std::string_view text);

/// The lowest `bytes` bytes of a number.
void put_number(Bytes& out, std::uint64_t number, unsigned bytes);
void put(Bytes& out, const Endpoint& endpoint);
void put(Bytes& out, const Flow& flow);
[[nodiscard]] std::optional<std::uint64_t> take_number(std::span<const std::uint8_t>& in, std::size_t bytes);
[[nodiscard]] std::optional<Endpoint> take_endpoint(std::span<const std::uint8_t>& in);
[[nodiscard]] std::optional<Flow> take_flow(std::span<const std::uint8_t>& in);

/// What a token is sealed for. A line break is in no Call-ID.
[[nodiscard]] Bytes context_of(std::string_view kind, std::string_view call_id = {});

template <class Token>
[[nodiscard]] Result<Token> or_refused(const std::optional<Token>& token) {
    if (!token) return fail(Errc::refused, "not a token of ours");
    return *token;
}

}  // namespace natkit::sip
