#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/nat/decide.hpp"

namespace natkit::tool {

/// The lists and the policy that decide, given on the command line in place of the configured ones.
struct NetworkOptions {
    std::vector<std::string> lan, nated, nat_servers;
    std::string relay_same_nat;
};

/// Adds --lan, --nated, --nat-servers and --relay-same-nat.
void add_network_options(CLI::App& app, NetworkOptions& options);

/// Puts what was given in place of what is configured; false after a complaint.
[[nodiscard]] bool apply(std::string_view program, const NetworkOptions& options, nat::Networks& networks,
                         nat::SameNat& same_nat);

}  // namespace natkit::tool
