#include "commands.hpp"

#include <nlohmann/json.hpp>

#include "natkit/config/config.hpp"
#include "natkit/engine/control/client.hpp"
#include "natkit/io/lines.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

using control::Json;

constexpr const char* program = "natkit";

std::string dump(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// One request to the natkit of this configuration. Problems are told.
std::optional<Json> ask(const tool::CommonOptions& common, const std::string& command, const Json& params,
                        Duration patience) {
    const auto config = tool::load_config(program, common);
    if (!config) return std::nullopt;
    const std::string& path = config->control.socket;
    if (const auto reachable = io::connect_unix(path); !reachable) {
        tool::complain(program, "natkit is not running here: " + to_string(reachable.error()));
        return std::nullopt;
    }
    io::Loop loop;
    control::Client client(loop, path, control::random_prefix());
    client.set_timeout(patience);
    std::optional<Json> result;
    client.request(command, params, [&](Result<Json> reply) {
        if (reply) {
            result = std::move(*reply);
        } else {
            tool::complain(program, reply.error());
        }
        loop.stop();
    });
    loop.run();
    return result;
}

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) return "-";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

std::string status_text(const Json& status) {
    std::string text = "natkit " + text_of(status, "state") + ", process " + text_of(status, "pid") + ", up " +
                       text_of(status, "uptime_s") + " s\n";
    if (status.contains("listen")) {
        for (const Json& name : status["listen"]) text += "  " + name.get<std::string>() + "\n";
    }
    text += "sessions " + text_of(status, "sessions") + ", streams " + text_of(status, "streams") + ", calls " +
            text_of(status, "calls") + ", clients " + text_of(status, "clients") + ", pinged " +
            text_of(status, "pinged") + "\n\n";
    text += "component   state     pid      restarts  uptime_s\n";
    for (const Json& one : status["components"]) {
        text += padded(text_of(one, "name"), 12) + padded(text_of(one, "state"), 10) + padded(text_of(one, "pid"), 9) +
                padded(text_of(one, "restarts"), 10) + text_of(one, "uptime_s") + "\n";
    }
    return text;
}

}  // namespace

tool::Exit status(const tool::CommonOptions& common) {
    const auto status = ask(common, "status", nullptr, std::chrono::seconds(5));
    if (!status) return tool::Exit::bad_record;
    tool::Output output(program);
    output.write(tool::wants_json(common.format) ? dump(*status) + "\n" : status_text(*status));
    return tool::Exit::fine;
}

tool::Exit list(const tool::CommonOptions& common, const std::string& what) {
    const auto reply = ask(common, what, nullptr, std::chrono::seconds(10));
    if (!reply) return tool::Exit::bad_record;
    tool::Output output(program);
    const auto records = reply->find(what);
    if (records == reply->end()) return tool::Exit::fine;
    for (const Json& record : *records) output.write(dump(record) + "\n");
    return tool::Exit::fine;
}

tool::Exit reload(const tool::CommonOptions& common) {
    return ask(common, "reload", nullptr, std::chrono::seconds(15)) ? tool::Exit::fine : tool::Exit::usage;
}

tool::Exit stop(const tool::CommonOptions& common) {
    return ask(common, "stop", nullptr, std::chrono::seconds(30)) ? tool::Exit::fine : tool::Exit::bad_record;
}

}  // namespace natkit_tool
