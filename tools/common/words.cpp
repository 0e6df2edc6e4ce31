#include "words.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::tool {
namespace {

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
    const std::vector<std::string_view> views(known.begin(), known.end());
    const auto found = text::suggest(word, views);
    return found ? std::optional(std::string(*found)) : std::nullopt;
}

std::string in_quotes(std::string_view word) {
    return "'" + text::printable(word, 60) + "'";
}

/// "json" of "--format=json" is no part of the option's name.
std::string option_name(std::string_view argument) {
    return std::string(argument.substr(0, argument.find('=')));
}

std::vector<std::string> option_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
        for (const CLI::Option* option : at->get_options([](const CLI::Option* o) { return o->nonpositional(); })) {
            for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
        }
    }
    return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
    return names;
}

/// The subcommand that was named, or the program itself.
const CLI::App& deepest(const CLI::App& app) {
    const auto parsed = app.get_subcommands();
    return parsed.empty() ? app : deepest(*parsed.front());
}

std::string full_name(const CLI::App& app) {
    return app.get_parent() == nullptr ? app.get_name() : full_name(*app.get_parent()) + " " + app.get_name();
}

/// What nobody has a use for, as far as it tells more than the parser does: a word where a command was to stand, or a
/// misspelt option.
std::optional<std::string> unknown_argument(const CLI::App& app) {
    const CLI::App& at = deepest(app);
    for (const std::string& argument : app.remaining(true)) {
        if (argument.starts_with("--") && argument.size() > 2) {
            const std::string name = option_name(argument);
            const auto meant = nearest(name, option_names(at));
            return "no such option: " + in_quotes(name) + (meant ? "; did you mean '" + *meant + "'?" : "");
        }
        if (!argument.starts_with("-") && &at == &app && !command_names(app).empty()) {
            return no_such("command", argument, command_names(app));
        }
    }
    return std::nullopt;
}

}  // namespace

std::string listed(const std::vector<std::string>& words, std::string_view last) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
        text += words[i];
    }
    return text;
}

std::string no_such(std::string_view kind, std::string_view word, const std::vector<std::string>& known) {
    const auto meant = nearest(word, known);
    std::string text = "no such " + std::string(kind) + ": " + in_quotes(word) + "; ";
    if (meant) text += "did you mean '" + *meant + "'? ";
    return text + (meant ? "It is " : "it is ") + listed(known);
}

CLI::Validator one_of(std::vector<std::string> words) {
    return {[words = std::move(words)](std::string& text) -> std::string {
                return std::ranges::find(words, text) == words.end() ? no_such("value", text, words) : std::string();
            },
            ""};
}

std::string usage_problem(const CLI::App& app, const CLI::ParseError& error) {
    std::string problem = error.what();
    const bool left_over = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    const bool missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    if (left_over || missing) {
        if (const auto unknown = unknown_argument(app)) {
            problem = *unknown;
        } else if (missing && &deepest(app) == &app && !command_names(app).empty()) {
            problem = "a command is missing: " + listed(command_names(app));
        }
    }
    while (!problem.empty() && problem.back() == '\n') problem.pop_back();
    return problem + " (see " + full_name(deepest(app)) + " --help)";
}

std::string Formatter::make_footer(const CLI::App* app) const {
    constexpr std::array<std::string_view, 3> shared = {"config", "format", "log-level"};
    std::string text;
    if (const CLI::App* parent = app->get_parent()) {
        const auto options = parent->get_options([&](const CLI::Option* option) {
            return std::ranges::any_of(shared,
                                       [&](std::string_view name) { return option->check_lname(std::string(name)); });
        });
        // A group begins with an empty line, and make_help() has written one.
        if (!options.empty()) text = make_group("Common options", false, options).substr(1);
        if (!text.empty() && !app->get_footer().empty()) text += '\n';
    }
    return text + CLI::Formatter::make_footer(app);
}

}  // namespace natkit::tool
