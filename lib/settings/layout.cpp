#include "natkit/settings/layout.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"
#include "toml_value.hpp"

namespace natkit::settings {
namespace {

constexpr unsigned deepest = 100;  ///< of lists and tables in each other

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/// Goes over a TOML text once. Every function leaves `at_` after what it is named for; false: it is not there.
class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    Result<Layout> read_document() {
        if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
        for (skip_between(); at_ < text_.size(); skip_between()) {
            if (!(text_[at_] == '[' ? read_header() : read_statement(base_, false, 0)) || !read_rest_of_line())
                return failed();
        }
        return std::move(layout_);
    }

    Result<ListItems> read_list() {
        ListItems list;
        if (!take('[')) return failed();
        for (skip_between(); at_ < text_.size() && text_[at_] != ']'; skip_between()) {
            const std::size_t begin = at_;
            if (!skip_value(1)) return failed();
            list.items.push_back({begin, at_});
            skip_between();
            if (at_ < text_.size() && text_[at_] == ',') {
                list.commas.push_back({at_, at_ + 1});
                ++at_;
            } else if (at_ < text_.size() && text_[at_] != ']') {
                return failed();
            }
        }
        if (!take(']') || at_ != text_.size()) return failed();
        return list;
    }

  private:
    std::unexpected<Error> failed() const {
        const auto before = text_.substr(0, at_);
        const auto line = 1 + std::count(before.begin(), before.end(), '\n');
        return fail(Errc::bad_input, "not TOML", "line " + std::to_string(line));
    }

    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    void skip_blanks() {
        while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    }
    /// Blanks, line breaks and comments.
    void skip_between() {
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '#') at_ = std::min(text_.find('\n', at_), text_.size());
            if (at_ == text_.size()) return;
            if (!is_blank(text_[at_]) && text_[at_] != '\n' && text_[at_] != '\r') return;
        }
    }
    bool read_rest_of_line() {
        skip_blanks();
        if (at_ < text_.size() && text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
        if (at_ < text_.size() && text_[at_] == '\r') ++at_;
        return at_ == text_.size() || take('\n');
    }

    bool read_header() {
        const bool of_list = rest().starts_with("[[");
        at_ += of_list ? 2 : 1;
        Path path;
        if (!read_key(path) || !take(']') || (of_list && !take(']'))) return false;
        if (of_list) path.emplace_back();  // one of several: nothing in it is found under its name
        std::size_t end = text::line_end(text_, at_);
        layout_.headers.push_back({.path = path, .line_end = end});
        base_ = std::move(path);
        return true;
    }

    /// "a . 'b'": with the blanks around it.
    bool read_key(Path& path) {
        do {
            skip_blanks();
            const std::size_t begin = at_;
            if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
                if (!skip_string()) return false;
                auto name = string_of(text_.substr(begin, at_ - begin));
                if (!name) return false;
                path.push_back(std::move(*name));
            } else {
                at_ = std::min(text_.find_first_of(" \t\r\n.=[]{}#,\"'", at_), text_.size());
                if (at_ == begin) return false;
                path.emplace_back(text_.substr(begin, at_ - begin));
            }
            skip_blanks();
        } while (take('.'));
        return true;
    }

    bool read_statement(const Path& base, bool in_line, unsigned depth) {
        Statement statement{.path = base};
        statement.in_line = in_line;
        statement.header = layout_.headers.empty() ? Statement::top : layout_.headers.size() - 1;
        statement.key.begin = at_;
        if (!read_key(statement.path)) return false;
        statement.own = statement.path.size() - base.size();
        statement.key.end = at_;
        while (is_blank(text_[statement.key.end - 1])) --statement.key.end;
        if (!take('=')) return false;
        skip_blanks();
        statement.value.begin = at_;
        const std::size_t index = layout_.statements.size();
        layout_.statements.push_back(statement);
        const bool is_table = at_ < text_.size() && text_[at_] == '{';
        if (!(is_table ? read_table(statement.path, depth + 1) : skip_value(depth + 1))) return false;
        layout_.statements[index].value.end = at_;
        return true;
    }

    /// An inline table that is the value of a key.
    bool read_table(const Path& path, unsigned depth) {
        if (depth > deepest || !take('{')) return false;
        skip_between();
        while (at_ < text_.size() && text_[at_] != '}') {
            if (!read_statement(path, true, depth)) return false;
            skip_between();
            if (!take(',') && (at_ >= text_.size() || text_[at_] != '}')) return false;
            skip_between();
        }
        return take('}');
    }

    bool skip_value(unsigned depth) {
        if (depth > deepest || at_ >= text_.size()) return false;
        const char first = text_[at_];
        if (first == '"' || first == '\'') return skip_string();
        if (first == '[' || first == '{') return skip_group(first == '[' ? ']' : '}', depth);
        const std::size_t begin = at_;
        at_ = std::min(text_.find_first_of(",]}#\r\n", at_), text_.size());
        while (at_ > begin && is_blank(text_[at_ - 1])) --at_;
        return at_ > begin;
    }

    /// A list, or a table inside a list.
    bool skip_group(char close, unsigned depth) {
        ++at_;
        for (skip_between(); at_ < text_.size() && text_[at_] != close; skip_between()) {
            if (close == '}') {
                Path ignored;
                if (!read_key(ignored) || !take('=')) return false;
                skip_blanks();
            }
            if (!skip_value(depth + 1)) return false;
            skip_between();
            if (!take(',') && (at_ >= text_.size() || text_[at_] != close)) return false;
        }
        return take(close);
    }

    bool skip_string() {
        const char quote = text_[at_];
        const std::string three(3, quote);
        const bool escapes = quote == '"';
        if (rest().starts_with(three)) {
            at_ += 3;
            while (at_ < text_.size() && !rest().starts_with(three)) at_ += escapes && text_[at_] == '\\' ? 2 : 1;
            if (at_ >= text_.size()) return false;
            at_ += 3;
            for (int more = 0; more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) ++at_;
            return true;
        }
        for (++at_; at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n'; ++at_) {
            if (escapes && text_[at_] == '\\') ++at_;
        }
        if (at_ > text_.size()) at_ = text_.size();
        return take(quote);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    Path base_;
    Layout layout_;
};

}  // namespace

Result<Layout> lay_out(std::string_view text) {
    return Reader(text).read_document();
}

Result<ListItems> list_items(std::string_view list) {
    return Reader(list).read_list();
}

}  // namespace natkit::settings
