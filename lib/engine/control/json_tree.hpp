#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "natkit/engine/control/server.hpp"

namespace natkit::control {

/// Deep nesting costs stack wherever JSON is walked. No request needs more.
inline constexpr std::size_t max_depth = 64;

struct Tree {
    Json root;
    bool good = false;
    bool too_deep = false;  ///< why it is not good
};

/// What Json::parse() makes of a line. Json's own way doubles an object's room as it grows, and copies every key each
/// time; here an object has room for what requests hold from the start. Total.
[[nodiscard]] Tree read_tree(std::string_view line);

}  // namespace natkit::control
