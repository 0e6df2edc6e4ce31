#pragma once

#include <algorithm>
#include <vector>

namespace natkit {

/// Of a map without order the `most` lowest keys above `after`, in their order: a page of it. Good until it changes.
template <class Map>
[[nodiscard]] std::vector<const typename Map::key_type*> keys_after(const Map& map, const typename Map::key_type& after,
                                                                    std::size_t most) {
    std::vector<const typename Map::key_type*> keys;
    for (const auto& [key, value] : map) {
        if (key > after) keys.push_back(&key);
    }
    const auto less = [](const auto* a, const auto* b) { return *a < *b; };
    const auto end = keys.begin() + static_cast<std::ptrdiff_t>(std::min(most, keys.size()));
    std::partial_sort(keys.begin(), end, keys.end(), less);
    keys.erase(end, keys.end());
    return keys;
}

}  // namespace natkit
