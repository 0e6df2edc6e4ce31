#pragma once

#include <cstdint>
#include <string>

// What the tests here make captures of.
namespace natkit::test {

constexpr std::int64_t ms = 1'000'000;  ///< in nanoseconds, as the second is
constexpr std::int64_t second = 1000 * ms;

inline const std::string ok = "SIP/2.0 200 OK\r\nCall-ID: x\r\nContent-Length: 4\r\n\r\nbody";
inline const std::string options = "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: y\r\nl: 0\r\n\r\n";

}  // namespace natkit::test
