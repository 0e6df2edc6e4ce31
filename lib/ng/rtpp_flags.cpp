#include "rtpp_flags.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace natkit::ng {
namespace {

class FlagReader {
  public:
    explicit FlagReader(std::string_view text) : text_(text) {}

    Result<Dictionary> read_all() {
        Dictionary all;
        while (skip_spaces()) {
            auto item = read(0);
            if (!item) return fail(Errc::bad_input, what_, "byte " + std::to_string(at_));
            all.push_back(std::move(*item));
        }
        return all;
    }

  private:
    std::nullopt_t refuse(const char* what) {
        what_ = what;
        return std::nullopt;
    }

    /// False at the end of the text.
    bool skip_spaces() {
        at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
        return at_ < text_.size();
    }

    std::string_view take_until(std::string_view ends) {
        const std::size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
        const std::string_view taken = text_.substr(at_, end - at_);
        at_ = end;
        return taken;
    }

    bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }

    /// A word, as the value of `flags`, or a key with its value; outside of brackets ']' is a letter like any other.
    std::optional<Entry> read(std::size_t depth) {
        if (++values_ > 4096) return refuse("too many flags");
        const std::string_view ends = depth == 0 ? " \t\r\n=" : " \t\r\n=]";
        std::string word(take_until(ends));
        if (!at('=')) return Entry{.key = "flags", .value = std::move(word)};
        ++at_;
        if (at('[')) {
            auto value = bracket(depth + 1);
            if (!value) return std::nullopt;
            return Entry{.key = std::move(word), .value = std::move(*value)};
        }
        std::string value(take_until(depth == 0 ? " \t\r\n" : " \t\r\n]"));
        // `key=` is no more than `key`.
        if (value.empty()) return Entry{.key = "flags", .value = std::move(word)};
        return Entry{.key = std::move(word), .value = std::move(value)};
    }

    /// A list of words, or a dictionary where there is any key: a word among keys is a key without a value.
    std::optional<Value> bracket(std::size_t depth) {
        if (depth > 16) return refuse("brackets nested too deep");
        ++at_;
        List words;
        Dictionary keys;
        while (skip_spaces() && !at(']')) {
            if (at('[')) {
                auto value = bracket(depth + 1);
                if (!value) return std::nullopt;
                if (++values_ > 4096) return refuse("too many flags");
                words.push_back(std::move(*value));
                continue;
            }
            auto entry = read(depth);
            if (!entry) return std::nullopt;
            if (entry->key == "flags" && entry->value.text() != nullptr) {
                words.push_back(std::move(entry->value));
            } else {
                keys.push_back(std::move(*entry));
            }
        }
        if (at(']')) ++at_;
        if (keys.empty()) return words;
        for (Value& word : words) {
            if (const std::string* text = word.text()) keys.push_back({.key = *text, .value = ""});
        }
        return keys;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t values_ = 0;
    const char* what_ = "";
};

}  // namespace

Result<Dictionary> parse_rtpp_flags(std::string_view text) {
    return FlagReader(text).read_all();
}

}  // namespace natkit::ng
