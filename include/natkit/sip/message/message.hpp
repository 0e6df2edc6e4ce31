#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/sip/message/controls.hpp"
#include "natkit/sip/message/grammar.hpp"

namespace natkit::sip {

/// The header fields natkit looks at; all others are `other` and travel untouched.
enum class Name : std::uint8_t {
    other,
    via,
    from,
    to,
    call_id,
    cseq,
    contact,
    max_forwards,
    route,
    record_route,
    path,
    expires,
    min_expires,
    content_type,
    content_length,
    content_encoding,
    content_disposition,
    require,
    proxy_require,
    supported,
    unsupported,
    rseq,
    authorization,
    proxy_authorization,
    www_authenticate,
    proxy_authenticate,
    user_agent,
    server,
    event,
    reason,
};

/// The name in its usual long spelling ("Call-ID"); empty for `other`.
[[nodiscard]] std::string_view to_string(Name name) noexcept;
/// Long or compact form (RFC 3261 section 7.3.3), without case.
[[nodiscard]] Name name_of(std::string_view text) noexcept;

/// One header field as it stood in the message. The views stay valid as long as any copy of its Message.
struct Header {
    Name name{};
    std::string_view name_text;  ///< as written
    std::string_view value;  ///< trimmed; a folded value keeps its line breaks (sofia and trim() take them as space)
    std::string_view line;   ///< name to the end of the value, folded lines included, without the final line end
};

/// What parse() makes of control bytes in the header section (controls.hpp).
enum class Controls : std::uint8_t {
    refused,  ///< no message
    blanked,  ///< read as spaces, and told by Message::control(): check() refuses it, nobody may pass it on
};

/// A SIP request or response over its own bytes: nothing is re-encoded, so that what is not changed can be sent on
/// byte for byte. Immutable; copies are cheap and share everything. Its structured values are read when they are asked
/// for first and kept, so a Message and its copies are for one thread.
class Message {
  public:
    /// Takes the bytes of one message (leading line ends are skipped; bare LF is accepted). Fails with `where` = "line
    /// N" where there is no start line, no end of the header, or a line that is no header field. Values inside header
    /// fields are not judged here: see check(). Headers above 64 kB or 512 lines are refused.
    [[nodiscard]] static Result<Message> parse(std::string bytes, Controls controls = Controls::refused);

    /// The same message with another value of one of its headers(), which is what parse() would make of those bytes.
    /// `value` has no line end in it.
    [[nodiscard]] Message with_value(const Header& header, std::string_view value) const;

    [[nodiscard]] bool is_request() const noexcept { return content_->status == 0; }
    [[nodiscard]] std::string_view method() const noexcept { return content_->method; }  ///< of a request; else empty
    [[nodiscard]] std::string_view request_uri() const noexcept { return content_->uri; }
    [[nodiscard]] int status() const noexcept { return content_->status; }  ///< of a response; 0 for a request
    [[nodiscard]] std::string_view reason() const noexcept { return content_->uri; }
    [[nodiscard]] std::string_view start_line() const noexcept { return content_->start_line; }

    [[nodiscard]] const std::vector<Header>& headers() const noexcept { return content_->headers; }
    [[nodiscard]] const Header* find(Name name) const noexcept;  ///< the first, or null
    /// The values of all header fields of that name, commas split (not for From, To, Call-ID and other single ones).
    [[nodiscard]] std::vector<std::string_view> values(Name name) const;
    /// The value of the first field of that name, or an empty text.
    [[nodiscard]] std::string_view value(Name name) const noexcept;

    [[nodiscard]] const Result<Via>& top_via() const;
    [[nodiscard]] const Result<CSeq>& cseq() const;
    [[nodiscard]] const Result<NameAddr>& from() const;
    [[nodiscard]] const Result<NameAddr>& to() const;
    [[nodiscard]] std::string_view call_id() const noexcept { return value(Name::call_id); }
    [[nodiscard]] std::string from_tag() const { return tag(from()); }  ///< empty when there is none
    [[nodiscard]] std::string to_tag() const { return tag(to()); }
    /// Type and subtype in lower case, without parameters: "application/sdp".
    [[nodiscard]] std::string content_type() const;

    /// Content-Length where it is there and a number.
    [[nodiscard]] std::optional<std::uint64_t> declared_length() const noexcept;
    /// What follows the empty line, cut at Content-Length where that is smaller.
    [[nodiscard]] std::string_view body() const noexcept { return content_->body; }
    /// Bytes after the body: the next message of a stream, or rubbish after a datagram's body.
    [[nodiscard]] std::string_view rest() const noexcept { return content_->rest; }
    /// All bytes given to parse(); where there is a control(), with spaces in place of those.
    [[nodiscard]] std::string_view bytes() const noexcept { return content_->bytes; }
    /// The control byte for which this message may not be passed on, if there was one.
    [[nodiscard]] const std::optional<Control>& control() const noexcept { return content_->control; }

  private:
    struct Content {
        std::string bytes;
        std::string_view start_line;  ///< this and what follows: views of `bytes`
        std::string_view method;
        std::string_view uri;
        int status = 0;
        std::vector<Header> headers;
        std::string_view body;
        std::string_view rest;
        std::optional<Control> control;
        // Read when asked for.
        mutable std::optional<Result<Via>> top_via;
        mutable std::optional<Result<CSeq>> cseq;
        mutable std::optional<Result<NameAddr>> from;
        mutable std::optional<Result<NameAddr>> to;

        [[nodiscard]] Result<void> read_start_line(std::string_view line);
        [[nodiscard]] Result<void> read();
    };

    explicit Message(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

    [[nodiscard]] static std::string tag(const Result<NameAddr>& address);

    std::shared_ptr<const Content> content_;  ///< never null
};

/// Whether a proxy may act on this message (RFC 3261 sections 8.1.1, 16.3): the header fields that must be there are,
/// once each, and can be read; there is no control(); CSeq names the method; Content-Length is honest; no single header
/// field is duplicated. The message is the reason phrase for a 400.
[[nodiscard]] Result<void> check(const Message& message);

}  // namespace natkit::sip
