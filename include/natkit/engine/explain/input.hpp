#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/capture/byte_source.hpp"

namespace natkit::explain {

/// What an input holds, told from its first bytes.
enum class InputKind : unsigned char {
    empty,
    sip,      ///< raw messages, one after the other
    sdp,      ///< one session description
    json,     ///< one JSON object a line
    capture,  ///< pcap or pcapng
};

[[nodiscard]] InputKind recognise(std::string_view head) noexcept;

/// A piece of a text input, in the order of the text; pieces together are the whole text.
struct Piece {
    std::size_t line = 1;  ///< where its content starts, counted from 1
    std::string lead;      ///< line ends before the content
    std::string content;   ///< a SIP message, or a line without its end
    std::string tail;      ///< the line end of a line
};

/// Lines of a text. One longer than 4 MiB is Errc::exhausted; the next call goes on behind it.
class LineReader {
  public:
    explicit LineReader(capture::ByteSource& source) : source_(source) {}
    [[nodiscard]] Result<std::optional<Piece>> next();
    /// After Errc::exhausted: the line that was too long, piece by piece with its end; nothing when that was all.
    [[nodiscard]] Result<std::optional<std::string>> more_of_long_line();

  private:
    [[nodiscard]] Result<bool> fill();

    capture::ByteSource& source_;
    std::string buffer_;
    std::size_t at_ = 0;        ///< of the next line in it
    std::size_t searched_ = 0;  ///< no line end from at_ to here
    std::size_t line_ = 1;
    bool in_long_line_ = false;
};

/// Raw SIP messages in a row. One ends where its Content-Length says, if the text ends or another message starts there;
/// else where the next message starts. Who waits for an answer gets it: when nothing more has come, Content-Length
/// alone decides. A message longer than 1 MiB ends the input with Errc::exhausted.
class MessageReader {
  public:
    explicit MessageReader(capture::ByteSource& source) : source_(source) {}
    [[nodiscard]] Result<std::optional<Piece>> next();
    /// What was read and not handed out: the beginning of the message that was too long.
    [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(buffer_).substr(at_); }

  private:
    [[nodiscard]] Result<std::size_t> find_end(std::size_t lead);
    [[nodiscard]] Result<void> fill();

    capture::ByteSource& source_;
    std::string buffer_;
    std::size_t at_ = 0;  ///< of the next message in it
    bool end_ = false;
    std::size_t line_ = 1;
};

/// What follows the bytes of a text that are here already.
enum class Follows : unsigned char {
    nothing,  ///< they are all
    maybe,    ///< nothing now; more may come later
    more,     ///< more is to come
};

/// Length of the SIP message at the start of `text`; nothing when that depends on what follows.
[[nodiscard]] std::optional<std::size_t> message_length(std::string_view text, Follows follows);

/// Length of the SIP message at the start of a stream, by its Content-Length (missing: no body, RFC 3261 section 18.3);
/// nothing while some of it is not here yet.
[[nodiscard]] std::optional<std::size_t> framed_length(std::string_view text);

/// Whether a line of this kind starts here: "SIP/2.0 200 OK" or "INVITE sip:… SIP/2.0".
[[nodiscard]] bool starts_message(std::string_view text) noexcept;

}  // namespace natkit::explain
