#include "natkit/ng/bencode.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace natkit::ng {
namespace {

constexpr std::size_t most_deep = 16;
constexpr std::size_t most_values = 4096;

/// Goes through the text once; what has failed stays failed.
class BencodeReader {
  public:
    explicit BencodeReader(std::string_view text) : text_(text) {}

    Result<Value> read_all() {
        std::optional<Value> value = read(0);
        if (value && at_ != text_.size()) value = refuse("something behind the value");
        if (!value) return fail(Errc::bad_input, what_, "byte " + std::to_string(at_));
        return std::move(*value);
    }

  private:
    std::nullopt_t refuse(const char* what) {
        what_ = what;
        return std::nullopt;
    }

    bool take(char c) {
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }

    /// A number up to `end`, which is taken too.
    template <class Number>
    std::optional<Number> number(char end) {
        Number number = 0;
        const char* const start = text_.data() + at_;
        const auto [stop, error] = std::from_chars(start, text_.data() + text_.size(), number);
        if (error != std::errc{}) return refuse("not a number");
        at_ += static_cast<std::size_t>(stop - start);
        if (!take(end)) return refuse("not a number");
        return number;
    }

    std::optional<std::string> string() {
        const auto length = number<std::size_t>(':');
        if (!length) return std::nullopt;
        if (*length > text_.size() - at_) return refuse("a string longer than the message");
        std::string string(text_.substr(at_, *length));
        at_ += *length;
        return string;
    }

    std::optional<Value> read(std::size_t depth) {
        if (++values_ > most_values) return refuse("too many values");
        if (take('i')) {
            const auto value = number<std::int64_t>('e');
            return value ? std::optional<Value>(*value) : std::nullopt;
        }
        if (at_ == text_.size()) return refuse("a value is missing");
        if (text_[at_] != 'l' && text_[at_] != 'd') {
            auto value = string();
            return value ? std::optional<Value>(std::move(*value)) : std::nullopt;
        }
        if (depth == most_deep) return refuse("nested too deep");
        return take('l') ? list(depth + 1) : dictionary(depth + 1);
    }

    std::optional<Value> list(std::size_t depth) {
        List list;
        while (!take('e')) {
            auto value = read(depth);
            if (!value) return std::nullopt;
            list.push_back(std::move(*value));
        }
        return list;
    }

    std::optional<Value> dictionary(std::size_t depth) {
        take('d');
        Dictionary dictionary;
        while (!take('e')) {
            auto key = string();
            if (!key) return std::nullopt;
            auto value = read(depth);
            if (!value) return std::nullopt;
            dictionary.push_back({.key = std::move(*key), .value = std::move(*value)});
        }
        return dictionary;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t values_ = 0;
    const char* what_ = "";
};

struct BencodeWriter {
    std::string& out;

    void operator()(std::string_view text) const { (((out += std::to_string(text.size())) += ':') += text); }
    void operator()(std::int64_t number) const { (((out += 'i') += std::to_string(number)) += 'e'); }
    void operator()(const List& list) const {
        out += 'l';
        for (const Value& value : list) std::visit(*this, value.is);
        out += 'e';
    }
    void operator()(const Dictionary& dictionary) const {
        out += 'd';
        for (const Entry& entry : dictionary) {
            (*this)(entry.key);
            std::visit(*this, entry.value.is);
        }
        out += 'e';
    }
};

}  // namespace

Result<Value> parse_bencode(std::string_view text) {
    return BencodeReader(text).read_all();
}

std::string to_bencode(const Dictionary& dictionary) {
    std::string out;
    BencodeWriter{out}(dictionary);
    return out;
}

}  // namespace natkit::ng
