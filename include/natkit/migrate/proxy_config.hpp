#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What a configuration of Kamailio or OpenSIPS asks of a media relay, and what natkit would make of it.
namespace natkit::migrate {

enum class Proxy : std::uint8_t { kamailio, opensips };

enum class Verdict : std::uint8_t {
    works,
    depends,  ///< works where the description has it already
    ignored,  ///< nothing that a call needs is lost
    refused,  ///< natkit answers with an error
    unknown,  ///< cannot be told from the file
    change,   ///< what is to be written, here or in natkit.toml
};

[[nodiscard]] const char* to_string(Verdict verdict) noexcept;  ///< "works", …

/// One thing that was found. Line and column (in bytes) count from 1.
struct Finding {
    std::size_t line = 0;
    std::size_t column = 0;
    Verdict verdict{};
    std::string subject;  ///< a flag, a function, a parameter, a variable, a file
    std::string message;  ///< what becomes of it, and what to write instead; a sentence by itself

    friend bool operator==(const Finding&, const Finding&) = default;
};

/// Reads a configuration: comments, strings, `#!define` and `#!substdef` are understood, all branches of `#!ifdef` are
/// read, included files are named and not read. Finds the calls of the modules rtpengine, rtpproxy and rtp_relay, and
/// their parameters. Flags are looked for in strings, in what is joined to them, and in what is assigned to a variable
/// that stands there; what is neither is said to be unknown. In the order of the file. Total; linear.
[[nodiscard]] std::vector<Finding> examine(std::string_view text, Proxy proxy);

}  // namespace natkit::migrate
