// natkit cluster, promote, demote: this node among others.
#include <nlohmann/json.hpp>

#include "ask.hpp"
#include "commands.hpp"
#include "natkit/engine/console/show.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

/// A worker that is just being started again has that long to come back.
constexpr Duration until_it_is_back = std::chrono::seconds(15);

}  // namespace

tool::Exit cluster(const tool::CommonOptions& common, bool ready) {
    const auto status = ask(common, "cluster", nullptr, until_it_is_back);
    if (!status) return status.error();
    if (!ready) {
        write_lines(tool::wants_json(common.format) ? std::vector{console::dump(*status)}
                                                    : console::cluster_lines(*status));
        return tool::Exit::fine;
    }
    if (console::member(*status, "ready") == true) return tool::Exit::fine;
    return tool::complain(program, "not ready: " + console::text_of(*status, "ready_why")), tool::Exit::bad_record;
}

tool::Exit change_role(const tool::CommonOptions& common, const std::string& what) {
    const auto done = ask(common, what, nullptr, until_it_is_back);
    if (!done) return done.error();
    write_lines({console::text_of(*done, "role") + ", epoch " + console::text_of(*done, "epoch")});
    return tool::Exit::fine;
}

}  // namespace natkit_tool
