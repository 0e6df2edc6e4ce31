#include "commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <expected>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "ask.hpp"
#include "host.hpp"
#include "natkit/base/display.hpp"
#include "natkit/config/config.hpp"
#include "natkit/engine/console/show.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/io/lines.hpp"
#include "natkit/io/privileges.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

std::expected<Json, tool::Exit> ask_by(
    const tool::CommonOptions& common, Duration patience,
    const std::function<void(control::Client& client, control::Client::OnReply on_reply)>& request) {
    const auto path = control_socket(common);
    if (!path) return std::unexpected(tool::Exit::usage);
    if (const auto reachable = io::connect_unix(*path); !reachable) {
        const bool forbidden = reachable.error().code == Errc::refused;
        tool::complain(program,
                       std::string(forbidden ? "not allowed to ask natkit: " : "natkit is not running here: ") +
                           to_string(reachable.error()));
        return std::unexpected(tool::Exit::bad_record);
    }
    io::Loop loop;
    control::Client client(loop, *path, control::random_prefix());
    client.set_timeout(patience);
    std::expected<Json, tool::Exit> result = std::unexpected(tool::Exit::bad_record);
    request(client, [&](Result<Json> reply) {
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

}  // namespace

std::expected<Json, tool::Exit> ask(const tool::CommonOptions& common, const std::string& command, const Json& params,
                                    Duration patience) {
    return ask_by(common, patience, [&](control::Client& client, control::Client::OnReply on_reply) {
        client.request(command, params, std::move(on_reply));
    });
}

void write_lines(const std::vector<std::string>& lines) {
    tool::Output output(program);
    for (const std::string& line : lines) output.write(text::displayable(line) + "\n");
}

/// Warnings are for `check`; they would only be in the way here. So would mistakes elsewhere in the file be: a natkit
/// that runs can be asked and stopped all the same.
std::optional<std::string> control_socket(const tool::CommonOptions& common) {
    const config::Draft draft =
        config::draft_or_default(common.config.empty() ? config::default_file() : common.config);
    const bool known = draft.readable && std::ranges::none_of(draft.problems, [](const Error& problem) {
                           return problem.message.starts_with("[control] socket:");
                       });
    if (known) return draft.loaded.config.control.socket;
    static_cast<void>(tool::complain(program, draft.problems));
    return std::nullopt;
}

tool::Exit status(const tool::CommonOptions& common) {
    const auto status = ask(common, "status", nullptr, std::chrono::seconds(5));
    if (!status) return status.error();
    write_lines(tool::wants_json(common.format) ? std::vector{console::dump(*status)} : console::status_lines(*status));
    return tool::Exit::fine;
}

tool::Exit list(const tool::CommonOptions& common, const std::string& what, const Filter& filter) {
    const auto reply =
        ask_by(common, std::chrono::seconds(10), [&](control::Client& client, control::Client::OnReply on_reply) {
            control::request_pages(client, what, SIZE_MAX, std::move(on_reply), {{"quality", true}});
        });
    if (!reply) return reply.error();
    const auto all = reply->find(what);
    if (all == reply->end()) return tool::Exit::fine;
    const Json records = chosen(*all, filter);
    std::vector<std::string> lines;
    if (!tool::wants_json(common.format)) {
        lines = what == "calls" ? console::call_lines(records, console::Streams::told) : console::client_lines(records);
    } else {
        for (const Json& record : records) lines.push_back(console::dump(record));
    }
    write_lines(lines);
    return tool::Exit::fine;
}

tool::Exit hang_up(const tool::CommonOptions& common, const std::string& call_id) {
    const Json params = {{"call_id", call_id}, {"who", io::user_name(::getuid())}};
    const auto done = ask(common, "hangup", params, std::chrono::seconds(10));
    return done ? tool::Exit::fine : done.error();
}

tool::Exit remove_client(const tool::CommonOptions& common, const std::string& client) {
    const Json params = {{"client", client}, {"who", io::user_name(::getuid())}};
    const auto done = ask(common, "remove-client", params, std::chrono::seconds(10));
    return done ? tool::Exit::fine : done.error();
}

tool::Exit reload(const tool::CommonOptions& common, bool dry_run) {
    const Json params = dry_run ? Json{{"dry_run", true}} : Json();
    const auto done = ask(common, "reload", params, std::chrono::seconds(15));
    if (!done) return tool::Exit::usage;
    if (dry_run)
        write_lines(tool::wants_json(common.format) ? std::vector{console::dump(*done)}
                                                    : console::preview_lines(*done));
    return tool::Exit::fine;
}

tool::Exit renew(const tool::CommonOptions& common) {
    const auto done = ask(common, "renew", Json{{"token", control::random_prefix()}}, std::chrono::seconds(60));
    return done ? tool::Exit::fine : done.error();
}

tool::Exit drain(const tool::CommonOptions& common) {
    const auto done = ask(common, "drain", nullptr, std::chrono::seconds(10));
    return done ? tool::Exit::fine : done.error();
}

tool::Exit stop(const tool::CommonOptions& common) {
    const auto done = ask(common, "stop", nullptr, std::chrono::seconds(30));
    // What a mediarelay that was killed has left in the kernel, only root may take away.
    if (::geteuid() == 0) static_cast<void>(clean_host(InUse::is_fine));
    return done ? tool::Exit::fine : done.error();
}

}  // namespace natkit_tool
