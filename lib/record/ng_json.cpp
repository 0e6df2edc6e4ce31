#include "natkit/record/ng_json.hpp"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "natkit/record/json_text.hpp"

namespace natkit::record {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_deep = 16;
constexpr std::size_t most_values = 4096;

/// Builds the value as the parser goes. The library's names; false ends the parse.
class NgValueBuilder {
  public:
    bool null() { return take(ng::Value()); }
    bool boolean(bool value) { return take(std::int64_t{value ? 1 : 0}); }
    bool number_integer(Json::number_integer_t value) { return take(std::int64_t{value}); }
    bool number_unsigned(Json::number_unsigned_t value) {
        return value <= INT64_MAX ? take(static_cast<std::int64_t>(value)) : take(std::to_string(value));
    }
    bool number_float(Json::number_float_t /*value*/, const std::string& text) { return take(text); }
    bool string(std::string& value) { return take(std::move(value)); }
    bool binary(Json::binary_t& /*value*/) { return false; }
    bool start_object(std::size_t /*size*/) { return open(ng::Dictionary()); }
    bool start_array(std::size_t /*size*/) { return open(ng::List()); }
    bool key(std::string& name) {
        open_.back().key = std::move(name);
        return true;
    }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    bool parse_error(std::size_t at, const std::string& /*token*/, const Json::exception& /*error*/) {
        return refuse("not JSON", "byte " + std::to_string(at));
    }

    Result<ng::Value> finish(bool whole) {
        if (!whole) return fail(Errc::bad_input, what_, where_);
        return std::move(done_);
    }

  private:
    struct Open {
        ng::Value value;
        std::string key;  ///< of the member that is being read
    };

    bool refuse(const char* what, std::string where = {}) {
        what_ = what;
        where_ = std::move(where);
        return false;
    }

    bool take(ng::Value value) { return count() && put(std::move(value)); }

    bool count() { return ++values_ <= most_values || refuse("too many values"); }

    bool put(ng::Value value) {
        if (open_.empty()) {
            done_ = std::move(value);
        } else if (auto* list = std::get_if<ng::List>(&open_.back().value.is)) {
            list->push_back(std::move(value));
        } else {
            auto& dictionary = std::get<ng::Dictionary>(open_.back().value.is);
            dictionary.push_back({.key = std::move(open_.back().key), .value = std::move(value)});
        }
        return true;
    }

    bool open(ng::Value value) {
        if (open_.size() == most_deep) return refuse("nested too deep");
        if (!count()) return false;
        open_.push_back({.value = std::move(value), .key = {}});
        return true;
    }

    bool close() {
        ng::Value value = std::move(open_.back().value);
        open_.pop_back();
        return put(std::move(value));
    }

    ng::Value done_;
    std::vector<Open> open_;
    std::size_t values_ = 0;
    const char* what_ = "not JSON";
    std::string where_;
};

struct NgJsonWriter {
    std::string& out;

    void operator()(const std::string& text) const { out += json_string(text); }
    void operator()(std::int64_t number) const { out += std::to_string(number); }
    void operator()(const ng::List& list) const {
        out += '[';
        for (const ng::Value& value : list) {
            if (&value != &list.front()) out += ',';
            std::visit(*this, value.is);
        }
        out += ']';
    }
    void operator()(const ng::Dictionary& dictionary) const {
        out += '{';
        for (const ng::Entry& entry : dictionary) {
            if (&entry != &dictionary.front()) out += ',';
            (out += json_string(entry.key)) += ':';
            std::visit(*this, entry.value.is);
        }
        out += '}';
    }
};

}  // namespace

Result<ng::Value> parse_ng_json(std::string_view text) {
    NgValueBuilder builder;
    const bool whole = Json::sax_parse(text, &builder);
    return builder.finish(whole);
}

std::string to_ng_json(const ng::Dictionary& dictionary) {
    std::string out;
    NgJsonWriter{out}(dictionary);
    return out;
}

}  // namespace natkit::record
