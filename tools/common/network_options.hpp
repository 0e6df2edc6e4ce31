#pragma once

#include <CLI/CLI.hpp>
#include <optional>
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

/// Whether a capture has private addresses alone while no LAN is known: then everybody counts as being on the Internet,
/// which its owner hardly means.
class LanHint {
  public:
    void saw(const IpAddress& address, const nat::Networks& networks);
    /// What to tell after the last input; nothing where there is nothing to hint at.
    [[nodiscard]] std::optional<std::string> text(const nat::Networks& networks) const;

  private:
    std::optional<IpAddress> private_;  ///< the first one
    bool others_ = false;
};

}  // namespace natkit::tool
