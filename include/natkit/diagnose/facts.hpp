#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/diagnose/tcp_connection.hpp"
#include "natkit/dialog/end.hpp"
#include "natkit/nat/networks.hpp"
#include "natkit/sdp/direction.hpp"

/// What is wrong with a call, told from what was seen of it: facts in, findings out. Pure. Facts are values: who reads
/// captures makes them, and so does who writes a test.
namespace natkit::diagnose {

using dialog::End;
using dialog::other;

constexpr std::int64_t second_ns = 1'000'000'000;  ///< times are in nanoseconds, since 1970 where the capture tells

/// A payload type that a description lists (RFC 8866 section 6.6).
struct Format {
    std::uint8_t number = 0;
    std::string name;            ///< "PCMU", lower case letters turned into capitals; empty: not said, and not static
    std::uint32_t clock = 8000;  ///< units of its time stamp in a second

    friend bool operator==(const Format&, const Format&) = default;
};

/// How a description wants its RTP protected.
enum class Encryption : std::uint8_t {
    none,
    sdes,    ///< RTP/SAVP with a=crypto (RFC 4568)
    dtls,    ///< with a=fingerprint (RFC 5764)
    either,  ///< an offer of both, from which the answer takes one
};

/// One media description (m= line, RFC 8866 section 5.14) as a message carried it.
struct MediaDescription {
    std::string kind;             ///< "audio"
    std::optional<Endpoint> rtp;  ///< nothing: rejected, or no address
    std::optional<Endpoint> rtcp;
    Family family = Family::ipv4;
    sdp::Direction direction = sdp::Direction::sendrecv;
    bool rejected = false;
    bool hold = false;
    std::vector<Endpoint> candidates = {};     ///< of ICE
    std::optional<IpAddress> origin = {};      ///< of o=, where it is an address
    std::vector<Format> formats = {};          ///< at most 24
    Encryption encryption = Encryption::none;  ///< of RTP

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

/// A response on one hop, with its repetitions.
struct Response {
    int status = 0;
    std::uint64_t frame = 0;  ///< of the first
    std::int64_t first_ns = 0, last_ns = 0;
    unsigned copies = 1;
    Endpoint destination;                  ///< where it was sent
    std::optional<Endpoint> contact = {};  ///< where its Contact is an address
    bool record_routed = false;
    bool stale = false;       ///< a challenge that says only that its nonce was too old (RFC 8760, RFC 7616)
    std::string reason = {};  ///< the phrase of its start line, or the text of Reason or Warning
    std::optional<std::uint32_t> session_expires = {};  ///< seconds (RFC 4028)
    bool receiver_refreshes = false;                    ///< refresher=uac: who sent the request
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
    End sender = End::caller;
    std::uint64_t frame = 0, last_frame = 0;
    std::string branch = {};  ///< of the topmost Via
    std::string tag = {};     ///< the callee's, where there is one yet
    bool in_dialog = false;   ///< To has a tag
    unsigned vias = 0;
    std::size_t bytes = 0;                              ///< of the message
    bool incomplete = false;                            ///< the capture has only its first fragments
    bool tcp = false;                                   ///< TCP or TLS
    std::optional<Endpoint> contact = {};               ///< where the Contact is one
    bool rport = false;                                 ///< the topmost Via asks for it
    bool credentials = false;                           ///< Authorization or Proxy-Authorization
    bool routed = false;                                ///< has a Route
    std::optional<std::uint32_t> session_expires = {};  ///< seconds (RFC 4028)
    std::string reason = {};                            ///< the text of Reason
    std::vector<Response> responses = {};               ///< at most 8

    /// The last final response, or null.
    [[nodiscard]] const Response* final() const;
};

/// What a registrar had of a user when a call for it came, as far as the capture tells.
struct Registration {
    enum class State : std::uint8_t { registered, expired, removed, refused };
    State state{};
    std::uint64_t frame = 0;  ///< of the REGISTER that tells
    std::int64_t time_ns = 0;
    std::uint32_t expires = 0;             ///< seconds it was granted
    int status = 0;                        ///< refused: by this
    bool credentials = false;              ///< refused although it had some
    std::optional<Endpoint> contact = {};  ///< where it is an address
    std::optional<Endpoint> source = {};   ///< where its REGISTER came from
};

/// An address of one machine on the other side of a NAT, both seen in the capture.
struct Translation {
    Endpoint inside, outside;
    friend bool operator==(const Translation&, const Translation&) = default;
};

/// A header field or SDP line that contradicts the others: what an application layer gateway leaves behind.
struct Contradiction {
    std::string field;  ///< "Contact", "SDP o="
    std::string value;  ///< as it was written
};

/// A message in front of a box that is no hop of SIP, and the same one behind it with other lines.
struct Rewrite {
    struct Line {
        std::string subject;  ///< "Contact", "SDP c="
        std::string before;   ///< empty: put in
        std::string after;    ///< empty: left out
    };
    std::uint64_t before = 0, after = 0;  ///< frames
    Endpoint source, source_after;
    bool request = true;
    int status = 0;
    std::vector<Line> lines;  ///< at most 8
};

/// What the messages of one call tell.
struct Call {
    std::string call_id;
    std::array<std::string, 2> names;  ///< user@host of the caller and of the callee, as From and To say
    bool registration = false;         ///< no call, but the REGISTERs of one Call-ID
    std::string callee_tag;            ///< of the first 2xx to the INVITE: the branch of a fork that answered
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
    std::array<bool, 2> behind_nat = {};                   ///< of the caller, of the callee, by what they send
    std::vector<Translation> translations = {};            ///< at most 16
    std::optional<Registration> callee_registration = {};  ///< before the call
    std::vector<Rewrite> rewrites = {};                    ///< of INVITEs and their responses; at most 2

    /// The last description of a party as it wrote it, and as the other party got it: on the hops nearest to each. Of a
    /// fork only the branch that answered counts, once one has.
    [[nodiscard]] const SessionDescription* written(End party) const;
    [[nodiscard]] const SessionDescription* delivered(End party) const;
    /// Whether both ends of the chain of hops are in the capture.
    [[nodiscard]] bool several_hops() const;
};

/// The RTP of one source (SSRC) that went from one endpoint to another, and what else went the same way. After a pause,
/// or with the next call at the same ports, another one begins.
struct RtpStream {
    Endpoint source;
    Endpoint destination;
    std::int64_t first_ns = 0, last_ns = 0;
    std::uint64_t first_frame = 0, last_frame = 0;
    std::uint64_t rtp = 0, rtcp = 0, stun = 0, others = 0;  ///< packets
    std::uint64_t repeats = 0;                              ///< RTP packets that had passed here before
    std::uint8_t most_hops = 0, least_hops = 0;             ///< time to live of its RTP; 0: not known
    std::uint32_t ssrc = 0;                                 ///< of its RTP
    std::optional<std::uint32_t> sender;                    ///< SSRC of the last RTP or RTCP packet
    std::uint64_t reported_sent = 0;                        ///< RTCP: packets the sender says it sent
    std::optional<unsigned> reported_loss;                  ///< RTCP: per cent the sender of the report misses, latest
    std::uint32_t reported_of = 0;                          ///< RTCP: of the source (SSRC) that the report is about
    std::uint32_t reported_highest = 0;                     ///< RTCP: its highest sequence number; 0: none came
    std::uint32_t reported_jitter = 0;                      ///< RTCP: in units of that source's time stamps, latest
    std::uint32_t checks = 0;                               ///< connectivity checks of ICE (RFC 8445 section 7.2)
    std::uint32_t check_answers = 0;                        ///< successful responses of STUN
    std::uint32_t check_refusals = 0;                       ///< error responses of STUN
    std::uint64_t nominated_frame = 0;                      ///< of the first one with USE-CANDIDATE

    struct PayloadType {
        std::uint8_t number = 0;
        std::uint64_t packets = 0;
        std::uint64_t first_frame = 0;
        std::int64_t last_ns = 0;  ///< 0: not known
        std::uint64_t empty = 0;   ///< packets that have a header alone, as keepalives may (RFC 6263 section 4.6)
    };
    std::vector<PayloadType> payload_types = {};  ///< at most 6
    std::uint16_t first_sequence = 0;
    std::uint32_t missing = 0;              ///< numbers left out between the first and the last
    std::uint32_t gaps = 0;                 ///< how often some were left out
    std::vector<std::uint16_t> slots = {};  ///< packets there once, in equal times from first_ns on
    std::int64_t slot_ns = 100'000'000;
    std::vector<std::uint16_t> jitters = {};  ///< in the same times, interarrival (RFC 3550 section 6.4.1), 0.1 ms

    /// RTP packets that were there once at least.
    [[nodiscard]] std::uint64_t distinct() const noexcept { return rtp - repeats; }
    /// Each packet came by five times or more, on the average: it goes in a circle. A capture on all interfaces of a
    /// machine with bridges has packets of healthy calls two to four times.
    [[nodiscard]] bool circles() const noexcept { return rtp >= 10 && repeats * 5 >= rtp * 4; }
    /// Each time with less time to live: routers send it in a circle, and no relay, which would send it anew.
    [[nodiscard]] bool routed_in_circle() const noexcept { return circles() && most_hops >= least_hops + 5; }
    /// About how many of distinct() passed in this time.
    [[nodiscard]] std::uint64_t packets_in(std::int64_t from_ns, std::int64_t to_ns) const noexcept;
    /// Mean interarrival jitter in this time, milliseconds; nothing: none, or not known.
    [[nodiscard]] std::optional<double> jitter_in(std::int64_t from_ns, std::int64_t to_ns) const noexcept;
};

/// Errors by ICMP or ICMPv6 about packets of one way, with their repetitions until a pause.
struct IcmpError {
    enum class Kind : std::uint8_t {
        port_unreachable,
        host_unreachable,
        net_unreachable,
        prohibited,
        hops_exceeded,
        other
    };
    Kind kind{};
    IpAddress reporter;
    Endpoint source, destination;  ///< of the packet that was quoted
    bool tcp = false;
    std::uint64_t frame = 0;
    std::int64_t first_ns = 0, last_ns = 0;
    unsigned count = 1;
};

/// All that the rules may ask of one call.
struct CallFacts {
    Call call;
    /// While the call lasted, in the order in which they began: to and from all endpoints of its descriptions, to
    /// the sources of those, those that carry the same media on, and between hosts that ICE candidates name.
    std::vector<RtpStream> rtp = {};
    nat::Networks networks = {};                  ///< what the operator says about addresses
    std::vector<IcmpError> icmp = {};             ///< about packets of its messages and media
    std::vector<TcpConnection> connections = {};  ///< in that time: refused, closed, unanswered ones
    std::int64_t capture_end_ns = 0;              ///< 0: not known
};

}  // namespace natkit::diagnose
