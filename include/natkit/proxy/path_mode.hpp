#pragma once

#include <cstdint>

namespace natkit::proxy {

/// How the server of a domain is told that its users are reached by way of the edge.
enum class PathMode : std::uint8_t {
    automatic,  ///< "auto": Path until a 420 or a 200 without Path, then Contact
    path,       ///< "path": RFC 3327
    contact,    ///< "contact": a token URI of the edge in place of the Contact
};

}  // namespace natkit::proxy
