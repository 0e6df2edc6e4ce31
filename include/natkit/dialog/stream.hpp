#pragma once

#include <array>
#include <optional>

#include "natkit/base/endpoint.hpp"
#include "natkit/dialog/end.hpp"
#include "natkit/relay/probation.hpp"
#include "natkit/relay/stream.hpp"
#include "natkit/sdp/document.hpp"

namespace natkit::dialog {

/// What an end sends.
struct Sending {
    sdp::Direction direction = sdp::Direction::sendrecv;
    relay::Ssrcs ssrcs = {};  ///< that its description announces (RFC 5576)

    friend bool operator==(const Sending&, const Sending&) = default;
};

/// What an end's session description says of one of its streams.
struct Described {
    relay::Stream kind{};
    /// Where it wants its media. Nothing: nowhere yet, as it holds the old way (RFC 2543: c=0.0.0.0), ICE has yet to
    /// find out, or c= is a name that stands for nothing.
    std::optional<Endpoint> rtp = std::nullopt;
    std::optional<Endpoint> rtcp = std::nullopt;     ///< and its RTCP, where the other end does not mux (RFC 5761)
    std::optional<sdp::Setup> setup = std::nullopt;  ///< of a TCP stream, always: a=setup, or what its absence means
    bool renew = false;                              ///< likewise: it is to be connected anew (RFC 4145 section 5)
    bool hold = false;
    bool mux = false;
    Sending sending = {};

    friend bool operator==(const Described&, const Described&) = default;
};

/// What is kept of the last description that named an endpoint.
struct Said {
    std::optional<Endpoint> rtp = std::nullopt;
    std::optional<Endpoint> rtcp = std::nullopt;
    std::optional<sdp::Setup> setup = std::nullopt;

    friend bool operator==(const Said&, const Said&) = default;
};

[[nodiscard]] inline Said said_in(const Described& described) {
    return {.rtp = described.rtp, .rtcp = described.rtcp, .setup = described.setup};
}

/// `offers`: the description is an offer.
[[nodiscard]] Described describe(const sdp::Document& document, const sdp::Media& media, bool offers);
/// The same for who has looked up where its media go: a name in c= stands for that address, or for none.
[[nodiscard]] Described describe(const sdp::Document& document, const sdp::Media& media, bool offers,
                                 std::optional<Endpoint> rtp);
/// The part of it that concerns what is sent.
[[nodiscard]] Sending sending_of(const sdp::Document& document, const sdp::Media& media);

/// A stream of a call, as its two ends have described it.
struct Stream {
    std::uint64_t legs =
        0;                 ///< names its pair of legs, to who has them; 0: there is no such stream, or it was rejected
    relay::Stream kind{};  ///< of those
    bool hold = false;     ///< by the last answer: an end holds it
    bool mux = false;      ///< likewise: RTCP shares the RTP port, as both ends said so
    bool refused = false;  ///< by the answer so far
    std::optional<std::uint32_t> shares{};   ///< the stream whose legs carry it (BUNDLE): it has none of its own
    std::optional<std::uint32_t> bundled{};  ///< likewise, by the answer so far
    std::array<Said, 2> said{};              ///< by end
    std::array<Sending, 2> sending{};        ///< by end: as both have agreed
    Described offered{};                     ///< in the open or last offer

    /// The answer to `offered`: what both have agreed on takes effect.
    void answer(End from, const Described& answered);
    /// Another stream comes by the port of this one, in the open exchange (BUNDLE): an end sends if it sends either.
    void carry(End answerer, const Sending& offered_too, const Sending& answered_too);
};

}  // namespace natkit::dialog
