#pragma once

#include <doctest/doctest.h>

#include <string_view>
#include <utility>

#include "natkit/sdp/document.hpp"

namespace natkit::test {

/// A description that must be well formed.
inline sdp::Document document(std::string_view text) {
    auto parsed = sdp::Document::parse(text);
    REQUIRE(parsed);
    return *std::move(parsed);
}

}  // namespace natkit::test
