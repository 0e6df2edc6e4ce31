#include "natkit/base/endpoint.hpp"

#include <array>
#include <charconv>

#include "natkit/base/hash.hpp"
#include "natkit/base/text.hpp"

namespace natkit {

Result<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
    const std::size_t colon = text.rfind(':');
    const bool bracketed = !text.empty() && text.front() == '[';
    const bool bare_v6 = !bracketed && colon != std::string_view::npos && text.find(':') != colon;
    const bool has_port = colon != std::string_view::npos && !bare_v6 && (!bracketed || text[colon - 1] == ']');
    if (!has_port && default_port == 0) {
        return fail(Errc::bad_input, "not an address with port: '" + text::printable(text, 60) + "'");
    }
    const auto address = IpAddress::parse(has_port ? text.substr(0, colon) : text);
    if (!address) return std::unexpected(address.error());
    if (!has_port) return Endpoint{.address = *address, .port = default_port};
    const auto port = text::parse_number(text.substr(colon + 1), 65535);
    if (!port) {
        return fail(Errc::bad_input, "not a port: '" + text::printable(text.substr(colon + 1), 20) + "' in '" +
                                         text::printable(text, 60) + "'");
    }
    return Endpoint{.address = *address, .port = static_cast<std::uint16_t>(*port)};
}

std::string to_string(const Endpoint& endpoint) {
    std::array<char, endpoint_chars> text;  // NOLINT(*-member-init): written below
    return {text.data(), write(text.data(), endpoint)};
}

char* write(char* out, const Endpoint& endpoint) noexcept {
    const bool bare = endpoint.address.is_v4();
    if (!bare) *out++ = '[';
    out = write(out, endpoint.address);
    if (!bare) *out++ = ']';
    *out++ = ':';
    return std::to_chars(out, out + 5, endpoint.port).ptr;
}

std::size_t EndpointHash::operator()(const Endpoint& endpoint) const noexcept {
    std::uint64_t hash = hash::fnv_basis ^ endpoint.port;
    for (const std::uint8_t byte : endpoint.address.bytes()) hash = hash::fnv(hash, byte);
    return static_cast<std::size_t>(hash ^ hash >> 32);
}

}  // namespace natkit
