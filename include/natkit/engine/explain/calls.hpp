#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/base/recent.hpp"
#include "natkit/engine/explain/facts.hpp"

namespace natkit::explain {

/// Which party of a call: the one that sent the first INVITE, or the other.
enum class Side : std::uint8_t { caller, callee };

[[nodiscard]] constexpr Side other(Side side) noexcept {
    return side == Side::caller ? Side::callee : Side::caller;
}

/// One m= line as a message carried it.
struct StreamSeen {
    std::string kind;
    std::optional<Endpoint> rtp;  ///< nothing: rejected, or no address
    std::optional<Endpoint> rtcp;
    Family family = Family::ipv4;
    sdp::Direction direction = sdp::Direction::sendrecv;
    bool rejected = false;
    bool hold = false;
    std::vector<IpAddress> candidates = {};  ///< of ICE

    friend bool operator==(const StreamSeen&, const StreamSeen&) = default;
};

/// One session description on one hop.
struct DescriptionSeen {
    std::uint64_t frame = 0;  ///< or the number of the message
    std::int64_t time_ns = 0;
    Side writer{};  ///< whose streams these are
    Endpoint source, destination;
    bool request = true;
    int status = 0;
    std::uint32_t cseq = 0;
    std::string method;
    std::string tag;  ///< the callee's in this dialog; empty in the first INVITE
    unsigned vias = 0;
    std::vector<StreamSeen> streams;
};

/// A request that was sent and how often, with what came back.
struct RequestSeen {
    std::string method;
    std::uint32_t cseq = 0;
    Endpoint source, destination;
    std::int64_t first_ns = 0, last_ns = 0;
    unsigned copies = 0;
    int status = 0;                             ///< the last answer on this hop; 0: none
    std::optional<std::int64_t> heard_ns = {};  ///< when the receiver had sent something last, before the first copy
};

struct Call {
    std::string call_id;
    std::array<std::string, 2> hosts;  ///< of the URIs of caller and callee, as the first message names them
    std::string caller_tag;
    std::string callee_tag;  ///< of the first 2xx to the INVITE: the branch of a fork that answered
    std::uint64_t first_frame = 0;
    std::int64_t first_ns = 0, last_ns = 0;
    bool invited = false;
    bool answered = false;  ///< 2xx to an INVITE
    int failure = 0;        ///< final response that was not 2xx and no challenge, and no 2xx followed
    bool ended = false;     ///< BYE, or a failure on every branch
    bool cut = false;       ///< the capture has less of some message than was sent
    std::optional<record::Nat> caller, callee;
    unsigned caller_vias = 0, callee_vias = 0;  ///< of the message that `caller`, `callee` come from
    std::optional<Endpoint> caller_source, callee_source;
    std::vector<DescriptionSeen> descriptions;  ///< at most 64, in order
    std::vector<RequestSeen> requests;          ///< at most 64
    std::vector<record::Evidence> alg;
    std::string alg_frame;

    /// The last description of a party as it wrote it, and as the other party got it: on the hops nearest to each. Of a
    /// fork only the branch that answered counts, once one has.
    [[nodiscard]] const DescriptionSeen* written(Side side) const;
    [[nodiscard]] const DescriptionSeen* delivered(Side side) const;
    /// Whether both ends of the chain of hops are in the capture.
    [[nodiscard]] bool several_hops() const;
};

/// A message as the tracker takes it.
struct MessageSeen {
    const sip::Message& message;
    const Facts& facts;
    const record::Nat& nat;
    Arrival arrival;
    std::uint64_t frame = 0;
    std::int64_t time_ns = 0;
    bool copy = false;  ///< the same packet on the other side of a NAT: only tells more about who sent it
};

/// The hosts of the URIs in From and To, in that order; empty where there is none that can be read.
[[nodiscard]] std::array<std::string, 2> hosts_of(const sip::Message& message);

/// Gathers messages into calls (dialogs by INVITE with SDP). Bounded: at most 4096 calls are open, and they hold 24 MB
/// at most; one that ended more than 10 s ago, or the oldest, is handed out to make room.
class CallTracker {
  public:
    std::function<void(const Call&)> on_call;

    void on_message(const MessageSeen& seen);
    /// Hands out all that are left, oldest first.
    void finish();
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  ///< that the open calls hold, about

  private:
    struct Open {
        Call call;
        std::size_t bytes = 0;       ///< that it takes, about
        std::string heard_tag = {};  ///< the callee's, of the message that tells where it is
    };
    using Calls = std::list<Open>;

    [[nodiscard]] Open* find_or_make(const MessageSeen& seen);
    void note_progress(Open& open, const MessageSeen& seen, const sip::CSeq& cseq, const std::string& tag);
    void note_client(const MessageSeen& seen);
    void note_party(Open& open, const MessageSeen& seen, Side sender, const std::string& tag);
    void note_request(Call& call, const MessageSeen& seen, const sip::CSeq& cseq);
    void note_descriptions(Call& call, const MessageSeen& seen, const sip::CSeq& cseq, Side sender,
                           const std::string& tag);
    void weigh(Open& open);
    void hand_out(Calls::iterator call);
    void make_room(std::int64_t now_ns);

    Calls calls_;  ///< oldest first
    std::unordered_map<std::string, Calls::iterator> by_id_;
    std::size_t bytes_ = 0;  ///< of all calls
    /// What a client behind a NAT said of itself, by the flow it uses, and when it was heard last.
    struct Known {
        record::Nat nat;
        std::int64_t heard_ns = 0;
    };
    Recent<Endpoint, Known, EndpointHash> known_{4096};
    std::uint64_t messages_ = 0;
};

[[nodiscard]] StreamSeen stream_of(const sdp::Document& document, const sdp::Media& media);

}  // namespace natkit::explain
