#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/dialog/end.hpp"
#include "natkit/nat/networks.hpp"
#include "natkit/sdp/direction.hpp"

/// What is wrong with a call, told from what was seen of it: facts in, findings out. Pure. Facts are values: who reads
/// captures makes them, and so does who writes a test.
namespace natkit::diagnose {

using dialog::End;
using dialog::other;

/// One media description (m= line, RFC 8866 section 5.14) as a message carried it.
struct MediaDescription {
    std::string kind;             ///< "audio"
    std::optional<Endpoint> rtp;  ///< nothing: rejected, or no address
    std::optional<Endpoint> rtcp;
    Family family = Family::ipv4;
    sdp::Direction direction = sdp::Direction::sendrecv;
    bool rejected = false;
    bool hold = false;
    std::vector<IpAddress> candidates = {};  ///< of ICE

    friend bool operator==(const MediaDescription&, const MediaDescription&) = default;
};

/// One session description on one hop.
struct SessionDescription {
    std::uint64_t frame = 0;  ///< or the number of the message
    std::int64_t time_ns = 0;
    End writer{};  ///< whose media it describes
    Endpoint source, destination;
    bool request = true;
    int status = 0;
    std::uint32_t cseq = 0;
    std::string method;
    std::string tag;    ///< the callee's in this dialog; empty in the first INVITE
    unsigned vias = 0;  ///< Via header fields of the message
    std::vector<MediaDescription> streams;
};

/// A request on one hop: how often it was sent, and what came back.
struct Request {
    std::string method;
    std::uint32_t cseq = 0;
    Endpoint source, destination;
    std::int64_t first_ns = 0, last_ns = 0;
    unsigned copies = 0;
    int status = 0;                             ///< of the last response on this hop; 0: none
    std::optional<std::int64_t> heard_ns = {};  ///< when the receiver had sent something last, before the first copy
};

/// A header field or SDP line that contradicts the others: what an application layer gateway leaves behind.
struct Contradiction {
    std::string field;  ///< "Contact", "SDP o="
    std::string value;  ///< as it was written
};

/// What the messages of one call tell.
struct Call {
    std::string call_id;
    std::string callee_tag;  ///< of the first 2xx to the INVITE: the branch of a fork that answered
    std::uint64_t first_frame = 0;
    std::int64_t first_ns = 0, last_ns = 0;
    bool answered = false;  ///< 2xx to an INVITE
    int failure = 0;        ///< final response that was not 2xx and no challenge, and no 2xx followed
    bool ended = false;     ///< BYE, or a failure on every branch
    bool cut = false;       ///< the capture has less of some message than was sent
    std::optional<Endpoint> caller_source, callee_source;  ///< of the messages nearest to each
    std::vector<SessionDescription> descriptions;          ///< at most 64, in order
    std::vector<Request> requests;                         ///< at most 64
    std::vector<Contradiction> contradictions;             ///< in the first message that has any

    /// The last description of a party as it wrote it, and as the other party got it: on the hops nearest to each. Of a
    /// fork only the branch that answered counts, once one has.
    [[nodiscard]] const SessionDescription* written(End end) const;
    [[nodiscard]] const SessionDescription* delivered(End end) const;
    /// Whether both ends of the chain of hops are in the capture.
    [[nodiscard]] bool several_hops() const;
};

/// The RTP that went from one endpoint to another, and what else went the same way. After a pause, or with the next
/// call at the same ports, another one begins.
struct RtpStream {
    Endpoint source;
    Endpoint destination;
    std::int64_t first_ns = 0, last_ns = 0;
    std::uint64_t rtp = 0, rtcp = 0, stun = 0, others = 0;  ///< packets
    std::uint64_t repeats = 0;                              ///< RTP packets that had passed here before
    std::uint32_t ssrc = 0;                                 ///< of the last RTP packet
    std::optional<std::uint32_t> sender;                    ///< SSRC of the last RTP or RTCP packet
    std::uint64_t reported_sent = 0;                        ///< RTCP: packets the sender says it sent
    std::optional<unsigned> reported_loss;                  ///< RTCP: per cent the sender of the report misses, latest

    /// RTP packets that were there once at least.
    [[nodiscard]] std::uint64_t distinct() const noexcept { return rtp - repeats; }
    /// Each packet came by five times or more, on the average: it goes in a circle. A capture on all interfaces of a
    /// machine with bridges has packets of healthy calls two to four times.
    [[nodiscard]] bool circles() const noexcept { return rtp >= 10 && repeats * 5 >= rtp * 4; }
};

/// All that the rules may ask of one call.
struct CallFacts {
    Call call;
    /// While the call lasted, in the order in which they began: to and from all endpoints of its last descriptions, to
    /// the sources of those, and between hosts that ICE candidates name.
    std::vector<RtpStream> rtp = {};
    nat::Networks networks = {};  ///< what the operator says about addresses
};

}  // namespace natkit::diagnose
