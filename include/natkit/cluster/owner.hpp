#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "natkit/base/error.hpp"
#include "natkit/cluster/version.hpp"

namespace natkit::cluster {

/// Of everything that is written into Redis. Who finds a higher one leaves its hands off.
inline constexpr std::uint64_t format = 1;
inline constexpr std::size_t longest_node = 64;

/// Who is active, and where its state lies: the hash natkit:GROUP:owner.
struct Owner {
    std::uint64_t version = format;
    std::uint64_t epoch = 0;
    std::string node;
    std::string state;   ///< key of the hash with the whole state; empty while it is being written
    std::string stream;  ///< key of the stream with what changes
    StreamId after;      ///< entries of the stream from here on are newer than the state was when it was begun

    friend bool operator==(const Owner&, const Owner&) = default;
};

/// Reads the fields of the hash; fields that are not known are left alone. Nothing where there is no owner: no field at
/// all. Total; the error's `where` names the field. Of a version above ours (Errc::refused) nothing else is read.
[[nodiscard]] Result<std::optional<Owner>> parse_owner(
    std::span<const std::pair<std::string_view, std::string_view>> fields);

/// The names of things in Redis.
struct Names {
    std::string owner;
    std::string nodes;   ///< hash: node → the format it writes
    std::string stream;  ///< of this node

    Names(std::string_view group, std::string_view node);
    /// Of several active nodes each is the owner of its own.
    [[nodiscard]] static Names of_several(std::string_view group, std::string_view node);
    [[nodiscard]] std::string state(std::uint64_t number) const;
    [[nodiscard]] std::string stream_of(std::string_view node) const;
    [[nodiscard]] std::string lease() const;

  private:
    std::string prefix_;
    std::string node_;
};

}  // namespace natkit::cluster
