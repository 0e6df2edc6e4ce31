#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/ip.hpp"
#include "natkit/base/time.hpp"
#include "natkit/sdp/document.hpp"

namespace natkit::edge {

/// A name that stands for an address in a c= line (RFC 8866 section 5.7).
struct HostName {
    Family family{};
    std::string host;  ///< lower case, without the last dot

    friend auto operator<=>(const HostName&, const HostName&) = default;
};

/// The name in a c= line; nothing: it is an address, or no name either.
[[nodiscard]] std::optional<HostName> name_in(const sdp::Document& sdp, const sdp::Field& connection);

/// Names of multicast DNS (RFC 6762), by which browsers hide an address: nobody but the sender's own network knows
/// them.
[[nodiscard]] bool is_local(const HostName& name) noexcept;

/// What has been found out about names in descriptions, for a minute (what could not be found, for ten seconds). Pure,
/// bounded.
class HostNames {
  public:
    /// The names of a description that must be looked up first, each once, at most `most_in_one`. Cheap where all c=
    /// lines hold addresses.
    [[nodiscard]] std::vector<HostName> unknown(std::string_view description, Instant now) const;
    /// Nothing: there is no such address, or none that may be used.
    void learn(const HostName& name, std::optional<IpAddress> address, Instant now);
    /// Null: nobody has looked it up.
    [[nodiscard]] const std::optional<IpAddress>* find(const HostName& name) const;

    static constexpr std::size_t most_in_one = 4;

  private:
    struct Known {
        std::optional<IpAddress> address;
        Instant until{};
    };
    std::map<HostName, Known> known_;
};

}  // namespace natkit::edge
