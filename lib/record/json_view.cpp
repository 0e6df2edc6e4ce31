#include "natkit/record/json_view.hpp"

#include <simdjson.h>

#include <bit>
#include <type_traits>

#include "natkit/base/text.hpp"

namespace natkit::record {
namespace dom = simdjson::dom;
namespace {

/// Whether a text that is not good JSON is nested deeper than allowed.
bool is_deep(std::string_view text, std::size_t most) noexcept {
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size() && depth <= most; ++i) {
        const char c = text[i];
        if (c == '"') quoted = !quoted;
        if (quoted) {
            i += c == '\\' ? 1U : 0U;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return depth > most;
}

/// Whether a character of good JSON, outside of strings, is one that ValueView::text() may write in another way: white
/// space, or of a number that is not whole.
bool may_be_changed(char c, char next) noexcept {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return true;
    return c == '.' || c == 'E' || (c == '-' && next == '0') || (c >= '0' && c <= '9' && next == 'e');
}

struct Member {
    std::size_t end = 0;   ///< of its value: the comma or the brace behind it
    bool as_it_is = true;  ///< ValueView::text() would write the value the same
};

/// In an object of good JSON without escapes, from where a value begins.
Member member_at(std::string_view text, std::size_t start) noexcept {
    Member member;
    std::size_t depth = 0;
    for (std::size_t at = start;; ++at) {
        const char c = text[at];
        if (c == '"') {
            at = text.find('"', at + 1);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}')) {
            member.end = at;
            return member;
        }
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        member.as_it_is = member.as_it_is && !may_be_changed(c, text[at + 1]);
    }
}

/// The text of the last member of that name in an object of good JSON without escapes; empty where there is none, or
/// ValueView::text() may write it in another way.
std::string_view text_in(std::string_view object, std::string_view key) noexcept {
    std::string_view found;
    for (std::size_t at = object.find('{') + 1;;) {
        at = object.find_first_of("\"}", at);
        if (object[at] == '}') return found;
        const std::size_t end = object.find('"', at + 1);
        const std::string_view name = object.substr(at + 1, end - at - 1);
        const std::size_t value = object.find(':', end) + 1;
        const Member member = member_at(object, value);
        at = member.end;
        if (name == key) found = member.as_it_is ? object.substr(value, at - value) : std::string_view();
    }
}

}  // namespace

template <class Value>
std::optional<Value> ValueView::get() const noexcept {
    static_assert(sizeof(Place) == sizeof(dom::element) && std::is_trivially_copyable_v<dom::element>);
    Value value{};
    if (std::bit_cast<dom::element>(place_).get(value) != simdjson::SUCCESS) return std::nullopt;
    return value;
}

std::optional<std::string_view> ValueView::string() const noexcept {
    return get<std::string_view>();
}

std::optional<bool> ValueView::flag() const noexcept {
    return get<bool>();
}

std::optional<std::uint64_t> ValueView::number() const noexcept {
    return get<std::uint64_t>();
}

std::optional<std::int64_t> ValueView::whole_number() const noexcept {
    return get<std::int64_t>();
}

std::optional<ObjectView> ValueView::object() const noexcept {
    if (!std::bit_cast<dom::element>(place_).is_object()) return std::nullopt;
    return ObjectView(place_);
}

std::optional<std::vector<ValueView>> ValueView::list() const {
    const auto array = get<dom::array>();
    if (!array) return std::nullopt;
    std::vector<ValueView> values;
    for (const dom::element element : *array) values.push_back(ValueView(std::bit_cast<Place>(element)));
    return values;
}

std::string ValueView::text() const {
    return simdjson::minify(std::bit_cast<dom::element>(place_));
}

std::optional<ValueView> ObjectView::find(std::string_view key) const noexcept {
    std::optional<ValueView> found;
    dom::object object;
    if (std::bit_cast<dom::element>(place_).get(object) != simdjson::SUCCESS) return found;
    const auto end = object.end();
    for (auto member = object.begin(); member != end; ++member) {
        if (member.key_equals(key)) found = ValueView(std::bit_cast<Place>(member.value()));
    }
    return found;
}

std::optional<std::string_view> ObjectView::string(std::string_view key) const noexcept {
    const auto value = find(key);
    return value ? value->string() : std::nullopt;
}

std::string ObjectView::text_of(std::string_view key) const {
    if (!source_.empty() && !source_.contains('\\')) {
        if (const auto text = text_in(source_, key); !text.empty()) return std::string(text);
    }
    const auto value = find(key);
    return value ? value->text() : std::string();
}

struct ObjectReader::Impl {
    std::size_t depth;
    dom::parser parser;
    std::string padded;  ///< the text and what the parser may read beyond it

    explicit Impl(std::size_t most) : depth(most) { start(); }

    void start() {
        constexpr std::size_t usual_line = 4096;
        parser = dom::parser();
        padded = std::string();
        if (parser.allocate(usual_line, depth + 1) != simdjson::SUCCESS) throw std::bad_alloc();
    }
};

ObjectReader::ObjectReader(std::size_t depth) : impl_(std::make_unique<Impl>(depth)) {}

ObjectReader::~ObjectReader() = default;
ObjectReader::ObjectReader(ObjectReader&&) noexcept = default;
ObjectReader& ObjectReader::operator=(ObjectReader&&) noexcept = default;

Result<ObjectView> ObjectReader::read(std::string_view text) {
    constexpr std::size_t large = std::size_t{64} << 10;  // room of 14 times the longest line is not kept for ever
    if (impl_->parser.capacity() > large && text.size() <= large) impl_->start();
    std::string& padded = impl_->padded;
    padded.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    padded.assign(text).append(simdjson::SIMDJSON_PADDING, ' ');
    dom::element root;
    const auto error = impl_->parser.parse(padded.data(), text.size(), false).get(root);
    if (error != simdjson::SUCCESS && is_deep(text, impl_->depth)) return fail(Errc::bad_input, "nested too deep");
    if (error != simdjson::SUCCESS || !root.is_object())
        return fail(Errc::bad_input, "not a JSON object: '" + text::printable(text, 60) + "'");
    return ObjectView(std::bit_cast<ValueView::Place>(root), {padded.data(), text.size()});
}

}  // namespace natkit::record
