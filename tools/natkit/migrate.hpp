#pragma once

#include <string>

#include "common/tool_main.hpp"
#include "natkit/migrate/proxy_config.hpp"

namespace natkit_tool {

/// Says what of a proxy's configuration would work with natkit, line by line. Exit::bad_record: something of it would
/// be refused.
[[nodiscard]] natkit::tool::Exit check_proxy(const natkit::tool::CommonOptions& common, const std::string& file,
                                             natkit::migrate::Proxy proxy);

}  // namespace natkit_tool
