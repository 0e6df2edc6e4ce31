#pragma once

#include <string>
#include <vector>

#include "natkit/config/config.hpp"

namespace natkit::config {

/// A key that two configurations disagree about.
struct Difference {
    std::string key;     ///< "[pinger] udp_interval"
    std::string before;  ///< the value as TOML; empty: not there
    std::string after;
    friend bool operator==(const Difference&, const Difference&) = default;
};

/// In the order of to_toml(). Pure.
[[nodiscard]] std::vector<Difference> differences(const Config& before, const Config& after);

}  // namespace natkit::config
