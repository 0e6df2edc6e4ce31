#pragma once

#include <string>
#include <vector>

#include "natkit/engine/daemon/daemon.hpp"

namespace natkit::supervise {

enum class Addresses : std::uint8_t {
    any,           ///< those of an interface that is away for the moment are no mistake
    of_this_host,  ///< each address to listen on that is none is a warning
};

/// Reads the configuration and looks for all that can be wrong with it without starting anything: the text, the files
/// it names and what is in them, the user, the certificate. Every problem at once.
[[nodiscard]] std::expected<config::Loaded, config::Problems> check(const daemon::Configuration& source,
                                                                    Addresses addresses = Addresses::any);

/// A file that is meant for another host: what its text says.
struct Elsewhere {
    config::Loaded loaded;                ///< as it is written, not fitted to any host
    std::vector<std::string> not_looked;  ///< what only that host can tell: "[registrar] users: /etc/natkit/users"
};
[[nodiscard]] std::expected<Elsewhere, config::Problems> check_for_host(const daemon::Configuration& source);

}  // namespace natkit::supervise
