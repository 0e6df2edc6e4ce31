#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace natkit {

/// What kind of failure it is. Callers switch on this; nobody parses messages.
enum class Errc : std::uint8_t {
    bad_input,   ///< bytes that do not have the form they should have
    bad_config,  ///< a configuration file or an option with a wrong value
    usage,       ///< a command or request that asks for something that does not exist
    not_found,   ///< names a thing that is not there (any more)
    refused,     ///< understood, and not allowed
    exhausted,   ///< a bounded resource is spent (ports, descriptors, a queue)
    system,      ///< the operating system refused
    timed_out,   ///< no answer in time
};

/// One failure, written for the person who must fix it.
struct Error {
    Errc code{};           ///< decides exit status and SIP status
    std::string where;     ///< "edge.toml:3:14", "stdin:12", "sdp:4"; may be empty
    std::string message;   ///< lower case, no full stop, quotes the offending text
    int error_number = 0;  ///< errno, of Errc::system; 0: not known

    friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// The failing half of a Result: `return fail(Errc::bad_input, "not an address: '…'");`
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message, std::string where = {}) {
    return std::unexpected(Error{.code = code, .where = std::move(where), .message = std::move(message)});
}

/// A failure of the operating system: "bind 127.0.0.1:5060: address already in use".
[[nodiscard]] std::unexpected<Error> fail_errno(std::string what, int errno_value);

/// The word for a code in records and control replies ("bad-input", "exhausted", …).
[[nodiscard]] const char* to_string(Errc code) noexcept;

/// "where: message", or the message alone.
[[nodiscard]] std::string to_string(const Error& error);

}  // namespace natkit
