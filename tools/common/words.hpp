#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a command line says that no program knows: named, with what may have been meant and what there is.
namespace natkit::tool {

/// "auto, json or text".
[[nodiscard]] std::string listed(const std::vector<std::string>& words, std::string_view last = "or");

/// "no such command: 'chek'; did you mean 'check'? There are run, check and status". `kind` is what the word should
/// have been.
[[nodiscard]] std::string no_such(std::string_view kind, std::string_view word, const std::vector<std::string>& known);

/// For Option::check(): the value is one of these words.
[[nodiscard]] CLI::Validator one_of(std::vector<std::string> words);

/// For Option::transform() to an enum: the value is one of these words, and stands for what is beside it.
template <class Enum>
[[nodiscard]] CLI::Validator one_of(const std::vector<std::pair<std::string, Enum>>& words) {
    std::vector<std::string> names;
    names.reserve(words.size());
    for (const auto& [name, value] : words) names.push_back(name);
    return {[names, words](std::string& text) -> std::string {
                for (const auto& [name, value] : words) {
                    if (text != name) continue;
                    text = std::to_string(static_cast<long>(value));
                    return {};
                }
                return no_such("value", text, names);
            },
            ""};
}

/// What to say of a command line that cannot be parsed; the program's name is not in it.
[[nodiscard]] std::string usage_problem(const CLI::App& app, const CLI::ParseError& error);

/// Help as CLI11 writes it; that of a subcommand also names the options that all subcommands share.
class Formatter : public CLI::Formatter {
  public:
    [[nodiscard]] std::string make_footer(const CLI::App* app) const override;
};

}  // namespace natkit::tool
