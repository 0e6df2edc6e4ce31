#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/sdp/direction.hpp"

/// SDP (RFC 8866) as bytes with spans: it is read in full, and never printed from a model.
namespace natkit::sdp {

/// A piece of a document, in bytes from its start.
struct Span {
    std::size_t offset = 0;
    std::size_t length = 0;

    [[nodiscard]] bool empty() const noexcept { return length == 0; }
    [[nodiscard]] std::size_t end() const noexcept { return offset + length; }
    friend bool operator==(const Span&, const Span&) = default;
};

/// One line. CRLF, bare LF and bare CR end a line; the last may have no end.
struct Line {
    char type = 0;  ///< the letter before "=", or 0 for anything that is not "x=…"
    Span value;     ///< after "x=", without the line end; for type 0 the whole line
    Span whole;     ///< with the line end
};

enum class FieldKind : std::uint8_t {
    origin,            ///< o=
    connection,        ///< c=
    media,             ///< m= (port only)
    rtcp,              ///< a=rtcp (RFC 3605)
    candidate,         ///< a=candidate (RFC 8839 section 5.1)
    related,           ///< raddr and rport of a candidate
    remote_candidate,  ///< one of a=remote-candidates (RFC 8839 section 5.2)
    alternative,       ///< a=alt, a predecessor of ICE still seen
    path,              ///< leftmost URI of a=path (MSRP, RFC 4975)
    old_media_ip,      ///< a=oldmediaip, left behind by some proxies
    filter_target,     ///< destination of a=source-filter (RFC 4570)
    filter_source,     ///< one source of a=source-filter
};

[[nodiscard]] const char* to_string(FieldKind kind) noexcept;  ///< "o", "c", "m", "a=rtcp", "a=candidate", …

/// An address or a port that says where media comes from or goes to. Spans that the line does not have are empty.
struct Field {
    FieldKind kind{};
    std::size_t line = 0;  ///< index in lines()
    Span family;           ///< "IP4" or "IP6"
    Span address;          ///< without brackets, TTL or count
    Span port;
};

/// One m= section.
struct Media {
    std::size_t line = 0;                       ///< of the m= line
    std::size_t end = 0;                        ///< one past the section's last line
    std::string_view kind;                      ///< "audio"
    std::string_view protocol;                  ///< "RTP/AVP"
    std::string_view formats;                   ///< the rest of the m= line
    Field port_field;                           ///< m= itself; its port span is empty when the line is broken
    std::uint16_t port = 0;                     ///< 0: rejected, disabled (RFC 3264 section 6) or bundle-only
    unsigned port_count = 1;                    ///< of "49170/2"
    std::optional<Field> own_connection;        ///< the section's first c=
    std::optional<Field> connection;            ///< the effective one: own, else the session's
    unsigned own_connections = 0;               ///< how many c= lines the section has
    std::optional<Field> rtcp;                  ///< a=rtcp
    bool rtcp_mux = false;                      ///< a=rtcp-mux or a=rtcp-mux-only (RFC 5761, RFC 8858)
    Direction direction = Direction::sendrecv;  ///< own, else the session's, else sendrecv
    std::optional<Setup> setup;                 ///< own, else the session's (RFC 4145)
    bool connection_existing = false;           ///< a=connection:existing (RFC 4145 section 5)
    bool ice = false;                           ///< has candidates or a=ice-ufrag and the like, or the session has
    unsigned candidates = 0;
    std::string_view mid;      ///< a=mid (RFC 5888); empty: none
    bool bundle_only = false;  ///< a=bundle-only (RFC 9143 section 6)
    /// The m= line, by number, whose port carries this stream too, as both are of one BUNDLE group (RFC 9143): one with
    /// the same address and port before it, or where this one is bundle-only, with port 0, the group's first with a
    /// port. Never itself bundled with another.
    std::optional<std::size_t> bundled_with;

    [[nodiscard]] bool rejected() const noexcept { return port == 0 && !bundled_with; }
    [[nodiscard]] bool tcp() const noexcept;  ///< "TCP/…" (RFC 4145), MSRP and BFCP over TCP included
    [[nodiscard]] bool rtp() const noexcept;  ///< "…RTP/…"
    /// T.120 over TCP: its format says "t120", or "msdata" as Windows Messenger has it.
    [[nodiscard]] bool t120() const noexcept;
};

/// A session description, its bytes and what they mean. Regular, owns its text; views and spans point into text().
class Document {
  public:
    /// Any text that has at least one of the lines v=, o=, c= and m=; broken lines are kept as they are and mean
    /// nothing. Linear in the size of the text.
    [[nodiscard]] static Result<Document> parse(std::string_view text);

    Document(const Document& other) : Document(other.text()) {}
    Document(Document&& other) noexcept = default;
    Document& operator=(const Document& other) { return *this = Document(other); }
    Document& operator=(Document&& other) noexcept = default;
    ~Document() = default;

    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), text_.size()}; }
    [[nodiscard]] std::string_view text(const Span& span) const noexcept {
        return text().substr(span.offset, span.length);
    }
    [[nodiscard]] const std::vector<Line>& lines() const noexcept { return lines_; }
    [[nodiscard]] const std::vector<Media>& media() const noexcept { return media_; }
    /// How many streams are not rejected; those that share a port (BUNDLE) are one.
    [[nodiscard]] std::size_t streams() const noexcept;
    /// A line that begins a second description behind the first, or names a second origin; nothing: there is none.
    [[nodiscard]] std::optional<std::size_t> second_description() const noexcept { return second_; }
    /// Every address and port, in the order of the text.
    [[nodiscard]] const std::vector<Field>& fields() const noexcept { return fields_; }

    [[nodiscard]] const std::optional<Field>& origin() const noexcept { return origin_; }
    [[nodiscard]] const Span& origin_version() const noexcept { return origin_version_; }  ///< empty without a good o=
    [[nodiscard]] const std::optional<Field>& session_connection() const noexcept { return session_connection_; }
    /// The line end used by the first line that has one, else CRLF.
    [[nodiscard]] std::string_view line_end() const noexcept;
    /// The value of attribute `name` in the lines [first, last), without "name:"; nothing when it is not there.
    [[nodiscard]] std::optional<std::string_view> attribute(std::size_t first, std::size_t last,
                                                            std::string_view name) const;
    [[nodiscard]] std::size_t session_end() const noexcept;  ///< one past the last line of the session part

    /// The field's address where it is one (not a name).
    [[nodiscard]] std::optional<IpAddress> address(const Field& field) const;
    [[nodiscard]] std::optional<std::uint16_t> port(const Field& field) const;
    /// Where a stream wants its media: effective c= and m= port. Nothing when rejected, or c= is missing or a name.
    [[nodiscard]] std::optional<Endpoint> rtp_endpoint(const Media& media) const;
    /// Where it wants RTCP: a=rtcp, the RTP port when muxed, else the next one.
    [[nodiscard]] std::optional<Endpoint> rtcp_endpoint(const Media& media) const;
    /// The same where the other side does not mux (RFC 5761 section 5.1.1).
    [[nodiscard]] std::optional<Endpoint> unmuxed_rtcp_endpoint(const Media& media) const;
    /// The same for who knows where its RTP goes (a name in c= stands for it).
    [[nodiscard]] std::optional<Endpoint> unmuxed_rtcp_endpoint(const Media& media, const Endpoint& rtp) const;
    /// The one rule for what is a hold: the old way (RFC 2543: c=0.0.0.0), or a direction that is not sendrecv, as who
    /// is put on hold by sendonly answers recvonly (RFC 3264 section 8.4).
    [[nodiscard]] bool on_hold(const Media& media) const;
    /// c= is 0.0.0.0 or :: and it means hold. It does not where ICE has yet to find an address, with port 9 (RFC 8840
    /// section 4.1.1), nor where a bundle-only stream has none of its own.
    [[nodiscard]] bool zero_address_hold(const Media& media) const;

  private:
    struct Reader;
    explicit Document(std::string_view text);
    void read_all();
    void read_bundles(const std::vector<Span>& groups);

    std::vector<char> text_;  ///< not a string: its bytes must stay where they are when the document moves
    std::vector<Line> lines_;
    std::vector<Media> media_;
    std::vector<Field> fields_;
    std::optional<Field> origin_;
    Span origin_version_;
    std::optional<Field> session_connection_;
    std::optional<std::size_t> second_;
};

}  // namespace natkit::sdp
