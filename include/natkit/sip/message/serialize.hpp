#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "natkit/sip/message/message.hpp"

namespace natkit::sip {

/// A message to be sent on with some of it changed: untouched header fields travel verbatim (only bare LF becomes
/// CRLF), changed ones are spliced in. The Message must outlive the Edit.
class Edit {
  public:
    explicit Edit(const Message& message) : message_(message), changes_(message.headers().size()) {}

    void set_start_line(std::string line) { start_line_ = std::move(line); }
    /// Puts a field above all others; several calls keep their order.
    void prepend(Name name, std::string_view value) { top_.push_back(field(name, value)); }
    void append(Name name, std::string_view value) { bottom_.push_back(field(name, value)); }
    void append(std::string_view name, std::string_view value) {
        bottom_.push_back(std::string(name) + ": " + std::string(value));
    }
    /// `header` is an element of message.headers().
    void set_value(const Header& header, std::string_view value);
    void remove(const Header& header);
    void remove_all(Name name);
    /// Sets the value of the first field of that name, or appends one.
    void set(Name name, std::string_view value);
    /// Takes the first values off the fields of that name, and whole fields that are left with none.
    void pop_values(Name name, std::size_t count);
    void pop_value(Name name) { pop_values(name, 1); }
    /// Takes the last value off the fields of that name.
    void pop_last_value(Name name);
    void set_body(std::string body) { body_ = std::move(body); }

    /// The bytes to send. Content-Length is always there and right.
    [[nodiscard]] std::string finish() const;

  private:
    struct Change {
        enum class Kind : std::uint8_t { none, replaced, removed } kind{};
        std::string line;
    };
    static std::string field(Name name, std::string_view value);
    [[nodiscard]] Change& change_of(const Header& header);

    const Message& message_;
    std::string start_line_;
    std::vector<std::string> top_;
    std::vector<Change> changes_;
    std::vector<std::string> bottom_;
    std::optional<std::string> body_;
};

/// A response of our own to a request (RFC 3261 section 8.2.6): Vias, From, To, Call-ID and CSeq as they came; `to_tag`
/// is added where the request has none and it is not empty. `extra` fields follow.
[[nodiscard]] std::string make_response(const Message& request, int status, std::string_view reason,
                                        std::string_view to_tag,
                                        const std::vector<std::pair<std::string, std::string>>& extra = {});

/// The ACK for a final response that is not 2xx (RFC 3261 section 17.1.1.3), from the INVITE as it was sent.
[[nodiscard]] std::string make_ack(const Message& sent_invite, const Message& response);

/// The CANCEL of an INVITE as it was sent (RFC 3261 section 9.1).
/// `reason` is the value of its Reason (RFC 3326); empty: none.
[[nodiscard]] std::string make_cancel(const Message& sent_invite, std::string_view reason = {});

/// The usual reason phrase of a status.
[[nodiscard]] std::string_view reason_of(int status) noexcept;

}  // namespace natkit::sip
