#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/nat/networks.hpp"
#include "natkit/sdp/rewrite.hpp"
#include "natkit/sip/message.hpp"

namespace natkit::sdprewrite {

/// Who sent a message, as far as the input says.
struct Sender {
    std::optional<Endpoint> source;
    std::optional<Endpoint> destination;
    std::string place;  ///< of the record's `nat` object; empty: the relay decides
};

/// Asks a running mediarelay for the endpoints that descriptions are to name: two legs for each stream of a call, one
/// for each party; joined once both have said where they are; freed by BYE, CANCEL or a final refusal. Follows up to
/// 65,536 calls at once.
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
        bool has_party = false;
    };
    struct Stream {
        std::optional<Leg> legs[2];  ///< of the caller, of the callee
        bool joined = false;
    };
    struct Call {
        std::string caller_tag;
        std::vector<Stream> streams;
        std::string seen[2];  ///< the last transaction whose description was taken from each
    };
    struct Link;

    [[nodiscard]] Result<nlohmann::ordered_json> ask(const char* command, const nlohmann::ordered_json& params);
    [[nodiscard]] Result<Leg> open(const sdp::Document& document, const sdp::Media& media, bool own);
    [[nodiscard]] Result<void> prepare(Stream& stream, const sdp::Document& document, const sdp::Media& media);
    [[nodiscard]] nlohmann::ordered_json party_of(const sdp::Document& document, const sdp::Media& media) const;

    std::unique_ptr<Link> link_;
    nat::Networks networks_;
    std::unordered_map<std::string, Call> calls_;
    Call* call_ = nullptr;
    std::string call_id_;
    std::string transaction_;
    std::size_t side_ = 0;
    Sender sender_;
};

}  // namespace natkit::sdprewrite
