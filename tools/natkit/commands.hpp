#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/tool_main.hpp"
#include "filter.hpp"

/// The subcommands that ask a running natkit.
namespace natkit_tool {

inline constexpr const char* program = "natkit";

/// Where natkit listens; problems of the configuration are told.
[[nodiscard]] std::optional<std::string> control_socket(const natkit::tool::CommonOptions& common);
[[nodiscard]] natkit::tool::Exit status(const natkit::tool::CommonOptions& common);
/// `what` is "calls" or "clients".
[[nodiscard]] natkit::tool::Exit list(const natkit::tool::CommonOptions& common, const std::string& what,
                                      const Filter& filter);
/// Ends the call with this Call-ID.
[[nodiscard]] natkit::tool::Exit hang_up(const natkit::tool::CommonOptions& common, const std::string& call_id);
/// Removes the registrations of an address of record, a Contact or an id.
[[nodiscard]] natkit::tool::Exit remove_client(const natkit::tool::CommonOptions& common, const std::string& client);
/// `dry_run`: say what it would change, and change nothing.
[[nodiscard]] natkit::tool::Exit reload(const natkit::tool::CommonOptions& common, bool dry_run);
/// The live view, until q or Ctrl-C; one snapshot where standard output is no terminal.
[[nodiscard]] natkit::tool::Exit top(const natkit::tool::CommonOptions& common, std::chrono::milliseconds every);
[[nodiscard]] natkit::tool::Exit renew(const natkit::tool::CommonOptions& common);
[[nodiscard]] natkit::tool::Exit drain(const natkit::tool::CommonOptions& common);
/// `natkit cluster`: what this node is among others. `ready`: nothing is written where it is active, or a standby that
/// may take over; else why not, and the exit status is 1.
[[nodiscard]] natkit::tool::Exit cluster(const natkit::tool::CommonOptions& common, bool ready);
/// `what` is "promote" or "demote".
[[nodiscard]] natkit::tool::Exit change_role(const natkit::tool::CommonOptions& common, const std::string& what);
[[nodiscard]] natkit::tool::Exit stop(const natkit::tool::CommonOptions& common);

}  // namespace natkit_tool
