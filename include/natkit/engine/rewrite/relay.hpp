#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "natkit/base/recent.hpp"
#include "natkit/nat/networks.hpp"
#include "natkit/relay/session.hpp"
#include "natkit/sdp/rewrite.hpp"
#include "natkit/sip/message.hpp"

namespace natkit::rewrite {

/// Who sent a message, as far as the input says.
struct Sender {
    std::optional<Endpoint> source;
    std::optional<Endpoint> destination;
    std::string place;  ///< of the record's `nat` object; empty: the relay decides
};

/// Asks a running mediarelay for the endpoints that descriptions are to name: two legs for each stream of a call, one
/// for each party; joined once both have said where they are; freed by BYE, or when every branch of the INVITE was
/// refused. What a rejected offer would have changed stays. Follows up to 65,536 calls at once, and forgets the one not
/// heard for longest: its legs end with its media, by the relay's timeout.
class Relay {
  public:
    Relay(const std::string& socket, nat::Networks networks);
    ~Relay();

    /// Before a message's descriptions are rewritten: which call it belongs to, and who speaks. Errc of the relay.
    [[nodiscard]] Result<void> begin(const sip::Message& message, const Sender& sender);
    /// The legs that the other party is to be shown.
    [[nodiscard]] Result<std::vector<std::optional<sdp::MediaTarget>>> targets(const sdp::Document& document);

  private:
    struct Leg {
        std::string id;
        Endpoint local;
        std::optional<Endpoint> rtcp;
        std::string party;  ///< JSON, as the relay was told last; empty: not yet
        bool hold = false;
    };
    /// The two legs of a stream: of who described it first, and of the other.
    struct Pair {
        relay::Stream kind{};
        std::optional<Leg> legs[2];
        std::optional<sdp::Setup> setup[2];  ///< TCP: what each does
        bool joined = false;
    };
    struct Stream {
        Pair now;
        std::optional<Pair> agreed;  ///< as it was when an answer came last: a refused offer leads back there
    };
    struct Call {
        std::string first_tag;  ///< of the side whose legs come first
        std::vector<Stream> streams;
        std::string seen[2];             ///< the last transaction whose description was taken from each
        std::set<std::string> branches;  ///< of the INVITE, not finally answered; at most 64
        std::string late;                ///< CSeq of an INVITE without an offer
        bool answered = false;
    };
    struct Link;

    [[nodiscard]] static bool has_legs(const Pair& pair);
    [[nodiscard]] static bool same_legs(const Pair& a, const Pair& b);
    [[nodiscard]] Result<nlohmann::ordered_json> ask(const char* command, const nlohmann::ordered_json& params);
    [[nodiscard]] Result<void> follow(const sip::Message& message);
    [[nodiscard]] Result<void> settle(bool accepted);
    [[nodiscard]] Result<void> go_back(Stream& stream);
    [[nodiscard]] Result<void> free_pair(Pair& pair);
    [[nodiscard]] Result<Leg> open(const sdp::Document& document, const sdp::Media& media, const Pair& pair, bool own);
    [[nodiscard]] Result<void> prepare(Stream& stream, const sdp::Document& document, const sdp::Media& media);
    [[nodiscard]] Result<void> tell(Pair& pair, const sdp::Document& document, const sdp::Media& media);
    void agree_who_connects(Pair& pair, const sdp::Media& media);
    [[nodiscard]] nlohmann::ordered_json party_of(const sdp::Document& document, const sdp::Media& media) const;
    [[nodiscard]] Result<std::optional<sdp::MediaTarget>> target(Stream& stream, const sdp::Document& document,
                                                                 const sdp::Media& media);

    std::unique_ptr<Link> link_;
    nat::Networks networks_;
    Recent<std::string, Call> calls_;
    // The message in hand:
    Call* call_ = nullptr;
    std::string call_id_;
    std::string transaction_;
    std::size_t side_ = 0;
    bool offers_ = false;  ///< else it answers
    bool final_ = false;   ///< a 2xx or an ACK: what it says is agreed
    Sender sender_;
};

}  // namespace natkit::rewrite
