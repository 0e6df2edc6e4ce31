#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"

namespace natkit::sip {

/// One thing that came out of a byte stream.
struct Framed {
    enum class Kind : std::uint8_t {
        message,  ///< a whole SIP message
        ping,     ///< CRLFCRLF between messages: wants one CRLF back (RFC 5626 section 3.5.1)
    };
    Kind kind{};
    std::string bytes;  ///< of a message
};

/// Cuts the bytes of a TCP or TLS connection into SIP messages (RFC 3261 section 18.3). Bounded: a header of 16 kB, a
/// body of 64 kB. Where a message ends must be beyond doubt, or somebody hides a second one in the first: exactly one
/// Content-Length, digits only, and no control byte in the header section (controls.hpp): such a header section is
/// handed out without a body, for whoever answers it, and then the stream is refused. Pure; the result does not depend
/// on how the bytes were cut on their way.
class Framer {
  public:
    static constexpr std::size_t max_header = std::size_t{16} << 10;
    static constexpr std::size_t max_body = std::size_t{64} << 10;

    /// Takes bytes; appends what is complete. Fails when the stream makes no sense: nothing after that can be trusted,
    /// and the connection is to be closed. What was complete before the failure has been appended.
    [[nodiscard]] Result<void> feed(std::string_view bytes, std::vector<Framed>& out);

    /// A message has begun and is not whole.
    [[nodiscard]] bool incomplete() const noexcept { return !input_.empty(); }

  private:
    [[nodiscard]] Result<bool> take_message(std::vector<Framed>& out);
    void skip_line_ends(std::vector<Framed>& out);

    std::string input_;             ///< from the first byte of a message on
    std::size_t scanned_ = 0;       ///< bytes of it known to hold no end of a header
    std::size_t message_ = 0;       ///< its whole size, once the header is known; else 0
    unsigned line_ends_ = 0;        ///< CRLFs in a row between messages, not yet answered
    bool carriage_return_ = false;  ///< between messages: a CR whose LF has not come yet
};

}  // namespace natkit::sip
