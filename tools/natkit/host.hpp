#pragma once

#include <string>

#include "common/tool_main.hpp"

/// What root does for a natkit that runs as somebody else.
namespace natkit_tool {

/// Reserves the media ports, lets filters ask for routes, makes the folder for pinned maps, which then is `user`'s
/// (empty: [daemon] user, else whoever runs this). Each step that fails is told, with what will not work.
[[nodiscard]] natkit::tool::Exit prepare_host(const natkit::tool::CommonOptions& common, const std::string& user);

/// Takes the kernel's filters and pinned maps away: nothing is forwarded after that. Not while a mediarelay has them.
/// Not while systemd says that natkit ended by anything but a stop (SERVICE_RESULT): calls go on then.
enum class InUse : bool { is_fine, is_told };
[[nodiscard]] natkit::tool::Exit clean_host(InUse in_use);

}  // namespace natkit_tool
