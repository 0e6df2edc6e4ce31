#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace natkit::cluster {

/// Which of two states of a replica is newer: the one of a later promotion, and of one promotion the later write.
struct Version {
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;
    friend auto operator<=>(const Version&, const Version&) = default;
};

/// The name that Redis gives an entry of a stream: the time of its clock in milliseconds, and a number within it.
struct StreamId {
    std::uint64_t ms = 0;
    std::uint64_t number = 0;

    /// "1700000000000-0"
    [[nodiscard]] static std::optional<StreamId> parse(std::string_view text) noexcept;
    friend auto operator<=>(const StreamId&, const StreamId&) = default;
};
[[nodiscard]] std::string to_string(const StreamId& id);

}  // namespace natkit::cluster
