#include "commands.hpp"

#include <expected>
#include <nlohmann/json.hpp>
#include <optional>

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

/// Where natkit listens. Warnings are for `check`; they would only be in the way here.
std::optional<std::string> control_socket(const tool::CommonOptions& common) {
    const auto loaded = config::load_or_default(common.config.empty() ? config::default_file() : common.config);
    if (loaded) return loaded->config.control.socket;
    for (const Error& problem : loaded.error()) tool::complain(program, problem);
    return std::nullopt;
}

/// One request to the natkit of this configuration. Problems are told.
std::expected<Json, tool::Exit> ask(const tool::CommonOptions& common, const std::string& command, const Json& params,
                                    Duration patience) {
    const auto path = control_socket(common);
    if (!path) return std::unexpected(tool::Exit::usage);
    if (const auto reachable = io::connect_unix(*path); !reachable) {
        tool::complain(program, "natkit is not running here: " + to_string(reachable.error()));
        return std::unexpected(tool::Exit::bad_record);
    }
    io::Loop loop;
    control::Client client(loop, *path, control::random_prefix());
    client.set_timeout(patience);
    std::expected<Json, tool::Exit> result = std::unexpected(tool::Exit::bad_record);
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
    if (!status) return status.error();
    tool::Output output(program);
    output.write(tool::wants_json(common.format) ? dump(*status) + "\n" : status_text(*status));
    return tool::Exit::fine;
}

tool::Exit list(const tool::CommonOptions& common, const std::string& what) {
    const auto reply = ask(common, what, nullptr, std::chrono::seconds(10));
    if (!reply) return reply.error();
    tool::Output output(program);
    const auto records = reply->find(what);
    if (records == reply->end()) return tool::Exit::fine;
    for (const Json& record : *records) output.write(dump(record) + "\n");
    return tool::Exit::fine;
}

tool::Exit reload(const tool::CommonOptions& common) {
    const auto done = ask(common, "reload", nullptr, std::chrono::seconds(15));
    return done ? tool::Exit::fine : tool::Exit::usage;
}

tool::Exit drain(const tool::CommonOptions& common) {
    const auto done = ask(common, "drain", nullptr, std::chrono::seconds(10));
    return done ? tool::Exit::fine : done.error();
}

tool::Exit stop(const tool::CommonOptions& common) {
    const auto done = ask(common, "stop", nullptr, std::chrono::seconds(30));
    return done ? tool::Exit::fine : done.error();
}

}  // namespace natkit_tool
