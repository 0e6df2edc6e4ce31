#include "natkit/ng/value.hpp"

#include <algorithm>

namespace natkit::ng {

const Value* find(const Dictionary& dictionary, std::string_view key) noexcept {
    const auto found = std::ranges::find(dictionary, key, &Entry::key);
    return found == dictionary.end() ? nullptr : &found->value;
}

}  // namespace natkit::ng
