#include "natkit/sdp/document.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::sdp {
const char* to_string(FieldKind kind) noexcept {
    constexpr std::array<const char*, 12> words = {"o",
                                                   "c",
                                                   "m",
                                                   "a=rtcp",
                                                   "a=candidate",
                                                   "a=candidate raddr",
                                                   "a=remote-candidates",
                                                   "a=alt",
                                                   "a=path",
                                                   "a=oldmediaip",
                                                   "a=source-filter",
                                                   "a=source-filter source"};
    return words[static_cast<std::size_t>(kind)];
}

bool Media::tcp() const noexcept {
    return text::istarts_with(protocol, "TCP") || text::istarts_with(protocol, "tcp");
}

bool Media::rtp() const noexcept {
    return protocol.find("RTP/") != std::string_view::npos;
}

bool Media::t120() const noexcept {
    if (!tcp()) return false;
    for (std::string_view rest = text::trim(formats); !rest.empty();) {
        const std::string_view word = rest.substr(0, rest.find(' '));
        if (text::iequals(word, "t120") || text::iequals(word, "msdata")) return true;
        rest = text::trim(rest.substr(word.size()));
    }
    return false;
}

Document::Document(std::string_view text) : text_(text.begin(), text.end()) {
    read_all();
}

Result<Document> Document::parse(std::string_view text) {
    Document document(text);
    const bool known = std::ranges::any_of(document.lines_, [](const Line& line) {
        return line.type == 'v' || line.type == 'o' || line.type == 'c' || line.type == 'm';
    });
    if (!known) return fail(Errc::bad_input, "no session description: '" + text::printable(text, 40) + "'", "sdp:1");
    return document;
}

std::string_view Document::line_end() const noexcept {
    for (const Line& line : lines_) {
        if (line.whole.end() != line.value.end()) return text({line.value.end(), line.whole.end() - line.value.end()});
    }
    return "\r\n";
}

std::optional<std::string_view> Document::attribute(std::size_t first, std::size_t last, std::string_view name) const {
    for (std::size_t i = first; i < std::min(last, lines_.size()); ++i) {
        if (lines_[i].type != 'a') continue;
        const std::string_view value = text(lines_[i].value);
        if (!value.starts_with(name)) continue;
        if (value.size() == name.size()) return std::string_view{};
        if (value[name.size()] == ':') return value.substr(name.size() + 1);
    }
    return std::nullopt;
}

std::size_t Document::session_end() const noexcept {
    return media_.empty() ? lines_.size() : media_.front().line;
}

std::optional<IpAddress> Document::address(const Field& field) const {
    if (field.address.empty()) return std::nullopt;
    const auto address = IpAddress::parse(text(field.address));
    return address ? std::optional(*address) : std::nullopt;
}

std::optional<std::uint16_t> Document::port(const Field& field) const {
    if (field.port.empty()) return std::nullopt;
    const auto port = text::parse_number(text(field.port), 65535);
    return port ? std::optional(static_cast<std::uint16_t>(*port)) : std::nullopt;
}

std::optional<Endpoint> Document::rtp_endpoint(const Media& media) const {
    if (media.rejected() || !media.connection) return std::nullopt;
    const auto host = address(*media.connection);
    if (!host) return std::nullopt;
    return Endpoint{.address = *host, .port = media.port};
}

std::optional<Endpoint> Document::rtcp_endpoint(const Media& media) const {
    return media.rtcp_mux ? rtp_endpoint(media) : unmuxed_rtcp_endpoint(media);
}

std::optional<Endpoint> Document::unmuxed_rtcp_endpoint(const Media& media) const {
    const std::optional<Endpoint> rtp = rtp_endpoint(media);
    return rtp ? unmuxed_rtcp_endpoint(media, *rtp) : std::nullopt;
}

std::optional<Endpoint> Document::unmuxed_rtcp_endpoint(const Media& media, const Endpoint& rtp) const {
    std::optional<Endpoint> endpoint = rtp;
    if (media.rtcp) {
        if (const auto host = address(*media.rtcp)) endpoint->address = *host;
        if (const auto number = port(*media.rtcp)) endpoint->port = *number;
        return endpoint;
    }
    if (endpoint->port == 65535) return std::nullopt;
    ++endpoint->port;
    return endpoint;
}

bool Document::zero_address_hold(const Media& media) const {
    if (!media.connection) return false;
    const auto host = address(*media.connection);
    if (!host || !host->is_unspecified()) return false;
    return media.port != 0 ? !(media.ice && media.port == 9) : !media.bundled_with;
}

bool Document::on_hold(const Media& media) const {
    return zero_address_hold(media) || media.direction != Direction::sendrecv;
}

}  // namespace natkit::sdp
