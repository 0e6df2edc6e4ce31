#include "tokens.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::migrate {
namespace {

using Kind = Token::Kind;

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_part_of_word(char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
}

/// How long a variable is that begins `text`: "$fU", "$var(x)", "$(var(x){s.len})", "$avp(x)[*]"; 0: none begins here.
std::size_t length_of_variable(std::string_view text) {
    if (text.size() < 2 || text[0] != '$') return 0;
    std::size_t end = 1;
    while (end < text.size() && is_part_of_word(text[end])) ++end;
    if (end == 1 && text[1] != '(') return 0;
    if (end == text.size() || text[end] != '(') return end;
    std::size_t depth = 0;
    for (; end < text.size() && text[end] != '\n'; ++end) {
        if (text[end] == '(') ++depth;
        if (text[end] == ')' && --depth == 0) return end + 1;
    }
    return end;
}

/// Goes through the text once.
class ConfigLexer {
  public:
    ConfigLexer(std::string_view text, Tokens& out) : text_(text), out_(out) {}

    /// `directives`: whether '#!' begins one.
    void read(std::vector<Token>& tokens, bool directives) {
        while (at_ < text_.size()) {
            const std::string_view rest = text_.substr(at_);
            const char c = rest.front();
            if (directives && (rest.starts_with("#!") || rest.starts_with("!!"))) {
                read_directive();
            } else if (c == '#' || rest.starts_with("//")) {
                skip_to(text::line_end(text_, at_));
            } else if (rest.starts_with("/*")) {
                const std::size_t end = rest.find("*/", 2);
                skip_to(end == std::string_view::npos ? text_.size() : at_ + end + 2);
            } else if (c == '"' || c == '\'') {
                read_text(tokens);
            } else if (const std::size_t length = length_of_variable(rest)) {
                take(tokens, Kind::variable, length);
            } else if (is_part_of_word(c)) {
                std::size_t end = 1;
                while (end < rest.size() && is_part_of_word(rest[end])) ++end;
                take(tokens, Kind::word, end);
                note_include(tokens);
            } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
                ++at_;
            } else {
                take(tokens, Kind::mark, rest.starts_with("==") ? 2 : 1);
            }
        }
    }

  private:
    void skip_to(std::size_t end) { at_ = end; }

    void take(std::vector<Token>& tokens, Kind kind, std::size_t length) {
        tokens.push_back({.kind = kind, .value = text_.substr(at_, length)});
        at_ += length;
    }

    void read_text(std::vector<Token>& tokens) {
        const char quote = text_[at_++];
        std::size_t end = at_;
        while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
        end = std::min(end, text_.size());
        const std::string_view content = text_.substr(at_, end - at_);
        tokens.push_back({.kind = Kind::text, .value = content});
        at_ = std::min(end + 1, text_.size());
        if (include_) out_.includes.push_back(content);
        include_ = false;
    }

    void note_include(const std::vector<Token>& tokens) {
        const std::string_view word = tokens.back().value;
        include_ = word == "include_file" || word == "import_file";
    }

    /// A line that begins with "#!"; it goes on behind a backslash.
    void read_directive() {
        std::size_t end = text::line_end(text_, at_);
        while (end < text_.size() && text_[end - 1] == '\\') end = text::line_end(text_, end + 1);
        std::string_view line = text_.substr(at_ + 2, end - at_ - 2);
        skip_to(end);
        const auto word = [&] {
            const std::size_t start = std::min(line.find_first_not_of(" \t"), line.size());
            line.remove_prefix(start);
            const std::string_view taken = line.substr(0, line.find_first_of(" \t"));
            line.remove_prefix(taken.size());
            return taken;
        };
        const std::string_view name = word();
        if (name == "define" || name == "def" || name == "trydef" || name == "trydefine" || name == "redefine" ||
            name == "redef") {
            const std::string_view defined = word();
            std::vector<Token> value;
            ConfigLexer(line, out_).read(value, false);
            out_.defines.try_emplace(defined, std::move(value));
        } else if (name.starts_with("subst")) {
            read_substitution(text::trim(line), name);
        } else if (name == "include_file" || name == "import_file") {
            const std::string_view file = text::trim(line);
            out_.includes.push_back(file.size() >= 2 && file.starts_with('"') ? file.substr(1, file.size() - 2) : file);
        }
    }

    /// "!NAME!VALUE!": the mark is the first letter. What `substdef` has defined is a define too.
    void read_substitution(std::string_view quoted, std::string_view directive) {
        if (quoted.size() < 2 || (quoted.front() != '"' && quoted.front() != '\'')) return;
        quoted = quoted.substr(1, quoted.size() - 2);
        if (quoted.empty()) return;
        const std::vector<std::string_view> parts = text::split(quoted.substr(1), quoted.front());
        if (parts.size() < 2 || parts[0].empty()) return;
        if (out_.substitutions.size() < 64) out_.substitutions.emplace_back(parts[0], parts[1]);
        if (directive == "subst") return;
        std::vector<Token> value;
        if (directive == "substdefs") {
            value.push_back({.kind = Kind::text, .value = parts[1]});
        } else {
            ConfigLexer(parts[1], out_).read(value, false);
        }
        out_.defines.try_emplace(parts[0], std::move(value));
    }

    std::string_view text_;
    Tokens& out_;
    std::size_t at_ = 0;
    bool include_ = false;  ///< the last word was that of an include
};

}  // namespace

Tokens read_tokens(std::string_view text) {
    Tokens tokens;
    ConfigLexer(text, tokens).read(tokens.all, true);
    return tokens;
}

std::vector<Token> read_string(std::string_view content) {
    std::vector<Token> tokens;
    std::size_t start = 0;
    std::size_t at = 0;
    const auto end_text = [&] {
        if (at > start) tokens.push_back({.kind = Kind::text, .value = content.substr(start, at - start)});
    };
    while (at < content.size()) {
        const std::size_t length = content[at] == '$' ? length_of_variable(content.substr(at)) : 0;
        if (length == 0) {
            ++at;
            continue;
        }
        end_text();
        tokens.push_back({.kind = Kind::variable, .value = content.substr(at, length)});
        at += length;
        start = at;
    }
    end_text();
    return tokens;
}

}  // namespace natkit::migrate
