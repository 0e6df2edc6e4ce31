#pragma once

#include <string>

#include "natkit/config/config.hpp"
#include "natkit/engine/daemon/daemon.hpp"

namespace natkit::settings {

/// Where versions of the file are kept: beside the registrations.
[[nodiscard]] std::string folder_of(const config::Config& config);

enum class When : std::uint8_t {
    overdue,  ///< only what should have been undone by now
    now,      ///< whatever waits: natkit cannot start with it
};

/// At the start of natkit: a change that nobody confirmed, and that an earlier natkit did not live to undo, is undone
/// in the file. What was done or could not be, in words; empty: nothing was to be done.
[[nodiscard]] std::string put_back(const daemon::Configuration& source, When when);

}  // namespace natkit::settings
