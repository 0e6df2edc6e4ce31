#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/base/ip.hpp"

/// The structured values of SIP header fields (RFC 3261 section 25). Plain forms are read here, all others by sofia-sip
/// behind this border, of which nothing shows. Every function is total: any bytes give a value or an Error.
namespace natkit::sip {

/// Parameters in their order; a parameter without value has an empty one. Names compare without case.
class Params {
  public:
    Params() = default;
    explicit Params(std::vector<std::pair<std::string, std::string>> items) : items_(std::move(items)) {}

    /// The value of the first parameter of that name; nothing when it is absent.
    [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const noexcept;
    [[nodiscard]] bool has(std::string_view name) const noexcept { return get(name).has_value(); }
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& items() const noexcept { return items_; }
    friend bool operator==(const Params&, const Params&) = default;

  private:
    std::vector<std::pair<std::string, std::string>> items_;
};

/// A SIP, SIPS or tel URI, taken apart (RFC 3261 section 19.1).
struct Uri {
    std::string scheme;  ///< lower case
    std::string user;    ///< without password; needless escapes resolved, so that equal users compare equal
    std::string host;    ///< IPv6 with its brackets
    std::optional<std::uint16_t> port;
    Params params;

    [[nodiscard]] static Result<Uri> parse(std::string_view text);
    /// The host where it is an address.
    [[nodiscard]] std::optional<IpAddress> address() const;
    /// Whether both name the same user at the same host and port, however they are written: hosts compare without case,
    /// an absent port is 5060 (5061 for sips). Parameters do not count.
    [[nodiscard]] bool same_address(const Uri& other) const;
    friend bool operator==(const Uri&, const Uri&) = default;
};

/// One value of a Via header field.
struct Via {
    std::string transport;  ///< upper case: "UDP", "TCP", "TLS", "WS"
    std::string host;       ///< sent-by host, IPv6 with its brackets
    std::optional<std::uint16_t> port;
    std::string branch;  ///< empty when there is none
    std::optional<std::string> received;
    bool rport_asked = false;  ///< the parameter is there, with or without value (RFC 3581)
    std::optional<std::uint16_t> rport;

    [[nodiscard]] static Result<Via> parse(std::string_view text);
    [[nodiscard]] std::optional<IpAddress> address() const;
    friend bool operator==(const Via&, const Via&) = default;
};

/// From, To, Contact, Route, Record-Route and Path values: an address with header parameters.
struct NameAddr {
    std::string uri;  ///< as it was written, without angle brackets
    Params params;    ///< of the header field, not of the URI

    [[nodiscard]] static Result<NameAddr> parse(std::string_view text);
    friend bool operator==(const NameAddr&, const NameAddr&) = default;
};

struct CSeq {
    std::uint32_t number = 0;
    std::string method;

    [[nodiscard]] static Result<CSeq> parse(std::string_view text);
};

/// The values of a header field that may hold several, cut at the commas outside quotes and angle brackets, trimmed.
/// Empty ones are left out.
[[nodiscard]] std::vector<std::string_view> split_values(std::string_view text);
/// The first of them, or an empty text.
[[nodiscard]] std::string_view first_value(std::string_view text);

/// A value with its parameter set, added or (with nothing) removed; everything else stays byte for byte.
/// `value` is the new value, or an empty text for a parameter without one.
[[nodiscard]] std::string with_param(std::string_view text, std::string_view name,
                                     std::optional<std::string_view> value);

}  // namespace natkit::sip
