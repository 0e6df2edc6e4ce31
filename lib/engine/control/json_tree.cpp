#include "json_tree.hpp"

#include <string>
#include <utility>
#include <vector>

namespace natkit::control {
namespace {

constexpr std::size_t usual_members = 10;

/// The names are the library's: it calls one for each piece of the text, and stops when one says false.
class Builder {
  public:
    explicit Builder(Tree& tree) : tree_(tree) { open_.reserve(max_depth); }

    bool null() { return put(nullptr); }
    bool boolean(bool value) { return put(value); }
    bool number_integer(Json::number_integer_t value) { return put(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
    bool number_float(Json::number_float_t value, const std::string& /*text*/) { return put(value); }
    bool string(const std::string& value) { return put(value); }
    bool binary(const Json::binary_t& /*value*/) { return false; }  // not in text

    bool start_object(std::size_t /*unknown*/) {
        if (!open(Json::object())) return false;
        open_.back()->get_ref<Json::object_t&>().reserve(usual_members);
        return true;
    }
    bool key(const std::string& name) {
        member_ = &open_.back()->get_ref<Json::object_t&>()[name];  // the last of the same name counts
        return true;
    }
    bool end_object() { return close(); }
    bool start_array(std::size_t /*unknown*/) { return open(Json::array()); }
    bool end_array() { return close(); }
    bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const Json::exception& /*error*/) {
        return false;
    }

  private:
    /// Where the next value belongs. What is open stays where it is: what holds it grows only once it is closed.
    Json& place() {
        if (open_.empty()) return tree_.root;
        if (open_.back()->is_object()) return *member_;
        return open_.back()->get_ref<Json::array_t&>().emplace_back();
    }
    template <class Value>
    bool put(Value&& value) {
        place() = std::forward<Value>(value);
        return true;
    }
    bool open(Json container) {
        tree_.too_deep = open_.size() == max_depth;
        if (tree_.too_deep) return false;
        Json& here = place();
        here = std::move(container);
        open_.push_back(&here);
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    Tree& tree_;
    std::vector<Json*> open_;  ///< containers, the outermost first
    Json* member_ = nullptr;   ///< of the innermost, when it is an object
};

}  // namespace

Tree read_tree(std::string_view line) {
    Tree tree;
    Builder builder(tree);
    tree.good = Json::sax_parse(line, &builder);
    return tree;
}

}  // namespace natkit::control
