#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "natkit/sdp/document.hpp"

namespace natkit::sdp {

/// Where one m= line is to point.
struct MediaTarget {
    Endpoint rtp;
    /// Without it RTCP goes to the next port, or with a=rtcp-mux to the same one.
    std::optional<Endpoint> rtcp = std::nullopt;
    std::optional<Setup> setup = std::nullopt;  ///< replaces a=setup (RFC 4145), or adds it
    std::optional<bool> mux = std::nullopt;     ///< whether a=rtcp-mux is there (RFC 5761); nothing: as it is
    std::string_view protocol = {};  ///< replaces that of m= ("RTP/AVP"), and outlives the call; empty: as it is
    bool shows_port = false;  ///< also where the stream is active and so its port may be 9 (RFC 4145 section 4.1)

    friend bool operator==(const MediaTarget&, const MediaTarget&) = default;
};

/// What becomes of ICE (RFC 8839) in a stream that gets a target.
enum class IcePolicy : std::uint8_t {
    drop,     ///< every candidate and ICE attribute goes, or calls would go around the relay
    keep,     ///< untouched
    add,      ///< the relay joins as one more candidate, of type relay and so of the lowest priority
    replace,  ///< only the relay is left as candidate
};

struct Options {
    IcePolicy ice = IcePolicy::drop;
    /// Replaces the address of o=, and takes out a=oldmediaip: asked for by who must not let a private address leave.
    std::optional<IpAddress> origin_address = std::nullopt;
    std::optional<std::uint64_t> session_version = std::nullopt;  ///< replaces the version in o=
    /// Also hides the address of a rejected stream (port 0) that has a target; its port stays 0.
    bool hide_rejected = false;
    /// A hold by c=0.0.0.0 is said by a direction instead (RFC 3264 section 8.4), and c= names the relay.
    bool replace_zero_address = false;
};

enum class EditReason : std::uint8_t {
    session_connection,   ///< session c= now names the relay
    media_connection,     ///< c= of a stream now names the relay
    connection_inserted,  ///< the stream needs a c= of its own
    media_port,
    protocol,
    rtcp,
    rtcp_inserted,  ///< RTCP is not at the next port (RFC 3605)
    mux_removed,
    mux_inserted,
    ice_removed,
    ice_added,
    origin_address,
    origin_version,
    filter,  ///< a=source-filter
    path,    ///< MSRP a=path
    setup,
    left_over,       ///< a=oldmediaip removed
    zero_family,     ///< hold's 0.0.0.0 written in the other family
    zero_direction,  ///< a direction in the place of hold's 0.0.0.0
};

[[nodiscard]] const char* to_string(EditReason reason) noexcept;  ///< "c= of the session", … for people

/// One change: `before` at `offset` of the old text became `after`.
struct Edit {
    std::size_t line = 0;    ///< counted from 1, in the old text
    std::size_t offset = 0;  ///< bytes, in the old text
    std::string before;
    std::string after;
    EditReason reason{};

    friend bool operator==(const Edit&, const Edit&) = default;
};

struct Rewritten {
    std::string text;
    std::vector<Edit> edits;  ///< ascending by offset, none empty; no edit: `text` is the old one
};

/// Points the streams of a session description at relays; every other byte stays. `targets` has one entry per m= line,
/// nothing meaning "keep".
///
/// Rejected streams (port 0) stay as they are; bundle-only ones with a target (RFC 9143) keep their port 0 alone. Hold
/// by c=0.0.0.0 stays hold. A TCP stream that is active with port 9 (RFC 4145 section 4.1) keeps the 9, one that
/// becomes active gets it, unless its target wants its port shown. "port/count" keeps its count: the relay has that
/// many consecutive pairs.
///
/// Errors, all with "sdp:LINE": Errc::usage (wrong number of targets); Errc::refused for what cannot be rewritten
/// safely (a second v= or o= line, a target for a multicast stream, several c= lines that name different hosts, an
/// address whose IP4/IP6 word is the other one's, a broken m= line, a target that is no host's address).
[[nodiscard]] Result<Rewritten> rewrite(const Document& document, std::span<const std::optional<MediaTarget>> targets,
                                        const Options& options = {});

/// The priority of a relay's own candidate for component 1 or 2 (RFC 8445 section 5.1.2.1, type preference 0).
[[nodiscard]] std::uint32_t relay_candidate_priority(unsigned component) noexcept;

}  // namespace natkit::sdp
