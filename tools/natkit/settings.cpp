#include "settings.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "ask.hpp"
#include "commands.hpp"
#include "common/words.hpp"
#include "natkit/base/text.hpp"
#include "natkit/io/privileges.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

using console::fitted;
using console::preview_lines;
using console::text_of;

constexpr auto patience = std::chrono::seconds(15);

/// Whose changes they are: a shell of this user may confirm what another one of it has made.
std::string session() {
    return "shell of " + io::user_name(::getuid());
}

std::string shown(const Json& value) {
    return value.is_null() ? "-" : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> lines_of(const Json& settings) {
    std::vector<std::string> lines = {text_of(settings, "file")};
    if (!settings.value("writable", false)) lines.push_back("read only: " + settings.value("why_not", ""));
    if (settings.contains("pending")) {
        const Json& pending = settings["pending"];
        lines.push_back("version " + text_of(pending, "version") + " by " + text_of(pending, "who") + " (" +
                        text_of(pending, "summary") + ") is undone in " + text_of(pending, "seconds_left") +
                        " s unless it is confirmed");
    }
    for (const Json& page : settings.value("sections", Json::array())) {
        lines.emplace_back();
        lines.push_back(text_of(page, "guide"));
        for (const Json& one : page["settings"]) {
            const std::string name = text_of(one, "section") + "." + text_of(one, "key");
            lines.push_back("  " + fitted(name, 36) + " " + shown(one.value("value", Json())) +
                            (one.value("set", false) ? "" : "  (default)"));
        }
    }
    return lines;
}

std::vector<std::string> lines_of_versions(const Json& versions) {
    std::vector<std::string> lines = {"version  time                  state      who                   what changed"};
    for (const Json& one : versions) {
        std::string who = one.value("who", "");
        if (one.contains("client")) who += " (" + text_of(one, "client") + ")";
        lines.push_back(fitted(text_of(one, "version") + (one.value("current", false) ? " *" : ""), 8) + " " +
                        fitted(text_of(one, "time"), 21) + " " + fitted(text_of(one, "state"), 10) + " " +
                        fitted(who.empty() ? "-" : who, 21) + " " + text_of(one, "summary"));
    }
    return lines;
}

/// The difference, then what it would do, or what is wrong with it.
tool::Exit write_preview(const Json& preview, bool json) {
    const Json& problems = preview["problems"];
    if (json) {
        write_lines({console::dump(preview)});
    } else {
        std::vector<std::string> lines;
        const std::string diff = preview.value("diff", "");
        for (const std::string_view line : text::split(diff, '\n')) lines.emplace_back(line);
        if (!lines.empty() && lines.back().empty()) lines.pop_back();
        if (preview.contains("effects")) {
            for (std::string& line : preview_lines(preview["effects"])) lines.push_back(std::move(line));
        }
        write_lines(lines);
    }
    for (const Json& problem : problems)
        tool::complain(program, Error{Errc::bad_config, problem.value("where", ""), problem.value("message", "")});
    return problems.empty() ? tool::Exit::fine : tool::Exit::usage;
}

/// "network.nat_servers" and its new value, as a change; none: its default.
std::expected<Json, tool::Exit> change_of(const SettingsOptions& options) {
    const bool reset = options.action == "reset";
    const std::string name = options.words.empty() ? "" : options.words[0];
    const std::size_t dot = name.rfind('.');
    if (dot == std::string::npos || (reset ? options.words.size() != 1 : options.words.size() < 2)) {
        tool::complain(program,
                       reset ? "settings reset takes one SECTION.KEY" : "settings set takes SECTION.KEY and a value");
        return std::unexpected(tool::Exit::usage);
    }
    Json change = {{"section", name.substr(0, dot)}, {"key", name.substr(dot + 1)}};
    if (reset) {
        change["reset"] = true;
    } else if (options.words.size() == 2) {
        change["value"] = options.words[1];
    } else {
        change["value"] = std::vector<std::string>(options.words.begin() + 1, options.words.end());
    }
    return Json{{"changes", Json::array({std::move(change)})}};
}

std::expected<Json, tool::Exit> version_of(const SettingsOptions& options) {
    const auto number =
        options.words.size() == 1 ? text::parse_number(options.words[0], 999'999'999) : std::optional<std::uint64_t>();
    if (number) return Json{{"version", *number}};
    tool::complain(program, "settings restore takes the number of a version; natkit settings versions lists them");
    return std::unexpected(tool::Exit::usage);
}

tool::Exit change(const tool::CommonOptions& common, const SettingsOptions& options) {
    const bool restore = options.action == "restore";
    auto request = restore ? version_of(options) : change_of(options);
    if (!request) return request.error();
    const auto now = ask(common, "settings", nullptr, patience);
    if (!now) return now.error();
    (*request)["hash"] = now->value("hash", "");
    const bool json = tool::wants_json(common.format);
    if (options.dry_run) {
        if (restore) (*request)["preview"] = true;
        const auto preview = ask(common, restore ? "settings-restore" : "settings-preview", *request, patience);
        return preview ? write_preview(*preview, json) : preview.error();
    }
    (*request)["by"] = session();
    (*request)["who"] = io::user_name(::getuid());
    const auto applied = ask(common, restore ? "settings-restore" : "settings-apply", *request, patience);
    if (!applied) return applied.error();
    if (options.keep) {
        const auto kept = ask(common, "settings-confirm", {{"by", session()}}, patience);
        if (!kept) return kept.error();
    }
    if (json) {
        write_lines({console::dump(*applied)});
    } else {
        write_lines({"version " + text_of(*applied, "version") + ": " + text_of(*applied, "summary") +
                     (options.keep ? "" : "; undone in 60 s unless you say: natkit settings confirm")});
    }
    return tool::Exit::fine;
}

}  // namespace

CLI::App* add_settings(CLI::App& app, SettingsOptions& options) {
    CLI::App* command =
        app.add_subcommand("settings", "Show the settings of natkit.toml, or change them while it runs");
    command
        ->add_option("action", options.action,
                     "show, set SECTION.KEY VALUE…, reset SECTION.KEY, confirm, undo, versions, restore VERSION")
        ->check(tool::one_of({"show", "set", "reset", "confirm", "undo", "versions", "restore"}));
    command->add_option("words", options.words, "The setting and its value, or the version");
    command->add_flag("--dry-run", options.dry_run, "Only say what would change in the file, and by it");
    command->add_flag("--keep", options.keep, "Confirm at once: it is not undone after 60 s");
    return command;
}

tool::Exit settings(const tool::CommonOptions& common, const SettingsOptions& options) {
    const std::string& action = options.action;
    if (action == "set" || action == "reset" || action == "restore") return change(common, options);
    if (!options.words.empty()) {
        tool::complain(program, "settings " + action + " takes nothing more");
        return tool::Exit::usage;
    }
    const Json params = {{"by", session()}, {"who", io::user_name(::getuid())}};
    const bool shows = action == "show";
    const auto reply = ask(common, shows ? "settings" : "settings-" + action, params, patience);
    if (!reply) return reply.error();
    if (tool::wants_json(common.format)) {
        write_lines({console::dump(*reply)});
    } else if (shows) {
        write_lines(lines_of(*reply));
    } else if (action == "versions") {
        write_lines(lines_of_versions((*reply)["versions"]));
    }
    return tool::Exit::fine;
}

}  // namespace natkit_tool
