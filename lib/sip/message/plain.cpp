#include "plain.hpp"

#include <array>
#include <utility>
#include <vector>

#include "letters.hpp"
#include "natkit/base/text.hpp"

namespace natkit::sip::plain {
namespace {

constexpr std::size_t longest = 1'024;  ///< bytes; what is longer is not plain

constexpr std::string_view digits = "0123456789";
constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

constexpr auto number_letters = Letters(digits);
constexpr auto host_letters = Letters(digits, lower, "-.");
constexpr auto user_letters = Letters(digits, lower, upper, "-_.+");
constexpr auto name_letters = Letters(digits, lower, "-_");
constexpr auto value_letters = Letters(digits, lower, upper, "-_.+");
constexpr auto transport_letters = Letters(upper);
constexpr auto display_letters = Letters(digits, lower, upper, "-_.+ ");

/// What is left of a value, taken piece by piece.
class Rest {
  public:
    explicit Rest(std::string_view text) : text_(text) {}

    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    bool take(std::string_view word) {
        if (!text_.starts_with(word)) return false;
        text_.remove_prefix(word.size());
        return true;
    }
    std::string_view take_all(const Letters& letters) {
        std::size_t end = 0;
        while (end < text_.size() && letters.hold(text_[end])) ++end;
        return skip(end);
    }
    std::string_view skip(std::size_t count) {
        const std::string_view taken = text_.substr(0, count);
        text_.remove_prefix(taken.size());
        return taken;
    }

  private:
    std::string_view text_;
};

struct HostPort {
    std::string_view host;
    std::optional<std::uint16_t> port;
};

std::optional<HostPort> take_host_port(Rest& rest) {
    HostPort taken{.host = rest.take_all(host_letters), .port = {}};
    if (taken.host.empty()) return std::nullopt;
    if (!rest.take(":")) return taken;
    const auto port = text::parse_number(rest.take_all(number_letters), 65535);
    if (!port) return std::nullopt;
    taken.port = static_cast<std::uint16_t>(*port);
    return taken;
}

using Items = std::vector<std::pair<std::string, std::string>>;

/// ";name=value;name" to the end. Without `items` they are only looked at.
bool take_params(Rest& rest, Items* items) {
    constexpr std::size_t usual = 4;
    if (items != nullptr && !rest.empty()) items->reserve(usual);
    while (rest.take(";")) {
        const std::string_view name = rest.take_all(name_letters);
        if (name.empty()) return false;
        std::string_view value;
        if (rest.take("=")) {
            value = rest.take_all(value_letters);
            if (value.empty()) return false;
        }
        if (items != nullptr) items->emplace_back(name, value);
    }
    return rest.empty();
}

/// The pieces of a URI, without its parameters, which are left.
struct UriPieces {
    std::string_view scheme;
    std::string_view user;
    HostPort at;
};

std::optional<UriPieces> take_uri(Rest& rest) {
    UriPieces pieces;
    if (!rest.take("sip:")) return std::nullopt;
    pieces.scheme = "sip";
    Rest user = rest;
    pieces.user = user.take_all(user_letters);
    if (user.take("@")) {
        if (pieces.user.empty()) return std::nullopt;
        rest = user;
    } else {
        pieces.user = {};
    }
    const auto at = take_host_port(rest);
    if (!at) return std::nullopt;
    pieces.at = *at;
    return pieces;
}

bool is_uri(std::string_view text) {
    Rest rest(text);
    return take_uri(rest) && take_params(rest, nullptr);
}

/// Up to the '<': a quoted name or words, or nothing.
bool skip_display(Rest& rest) {
    if (!rest.take("\"")) {
        rest.take_all(display_letters);
        return rest.take("<");
    }
    rest.take_all(display_letters);
    return rest.take("\"") && (rest.take(" <") || rest.take("<"));
}

}  // namespace

std::optional<Uri> read_uri(std::string_view text) {
    Rest rest(text);
    const auto pieces = take_uri(rest);
    Items params;
    if (text.size() > longest || !pieces || !take_params(rest, &params)) return std::nullopt;
    return Uri{.scheme = std::string(pieces->scheme),
               .user = std::string(pieces->user),
               .host = std::string(pieces->at.host),
               .port = pieces->at.port,
               .params = Params(std::move(params))};
}

std::optional<Via> read_via(std::string_view text) {
    Rest rest(text);
    if (text.size() > longest || !rest.take("SIP/2.0/")) return std::nullopt;
    const std::string_view transport = rest.take_all(transport_letters);
    if (transport.empty() || !rest.take(" ")) return std::nullopt;
    const auto at = take_host_port(rest);
    if (!at) return std::nullopt;
    Via via{.transport = std::string(transport),
            .host = std::string(at->host),
            .port = at->port,
            .branch = {},
            .received = {},
            .rport_asked = false,
            .rport = {}};
    while (rest.take(";")) {
        const std::string_view name = rest.take_all(name_letters);
        const bool with_value = rest.take("=");
        const std::string_view value = with_value ? rest.take_all(value_letters) : std::string_view();
        if (value.empty() && (with_value || name != "rport")) return std::nullopt;
        if (name == "branch" && via.branch.empty()) {
            via.branch = value;
        } else if (name == "received" && !via.received) {
            via.received = value;
        } else if (name == "rport" && !via.rport_asked) {
            via.rport_asked = true;
            const auto port = text::parse_number(value, 65535);
            if (with_value && !port) return std::nullopt;
            if (port) via.rport = static_cast<std::uint16_t>(*port);
        } else {
            return std::nullopt;  // twice, or another one
        }
    }
    if (!rest.empty()) return std::nullopt;
    return via;
}

std::optional<NameAddr> read_name_addr(std::string_view text) {
    Rest rest(text::trim(text));
    if (text.size() > longest || !skip_display(rest)) return std::nullopt;
    const std::string_view uri = rest.skip(rest.text().find('>'));
    Items params;
    if (!is_uri(uri) || !rest.take(">") || !take_params(rest, &params)) return std::nullopt;
    return NameAddr{.uri = std::string(uri), .params = Params(std::move(params))};
}

}  // namespace natkit::sip::plain
