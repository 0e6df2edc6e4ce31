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
#include "natkit/diagnose/facts.hpp"
#include "natkit/engine/explain/message_facts.hpp"
#include "natkit/engine/explain/registrations.hpp"
#include "natkit/engine/explain/rewrites.hpp"

namespace natkit::explain {

using diagnose::MediaDescription;
using diagnose::SessionDescription;
using dialog::End;

/// A call with what the reading of captures needs besides.
struct Call : diagnose::Call {
    std::array<std::string, 2> hosts;  ///< of the URIs of caller and callee, as the first message names them
    std::string caller_tag;
    std::optional<record::Nat> caller, callee;
    unsigned caller_vias = 0, callee_vias = 0;  ///< of the message that `caller`, `callee` come from
};

/// A message as the tracker takes it.
struct MessageSeen {
    const sip::Message& message;
    const MessageFacts& facts;
    const record::Nat& nat;
    Arrival arrival;
    std::uint64_t frame = 0;
    std::int64_t time_ns = 0;
    bool copy = false;        ///< the same packet on another interface: only tells more about who sent it
    bool incomplete = false;  ///< fragments of it are missing
    std::optional<diagnose::Translation> translated = {};  ///< of a copy: what a NAT in between changed
};

/// The hosts of the URIs in From and To, in that order; empty where there is none that can be read.
[[nodiscard]] std::array<std::string, 2> hosts_of(const sip::Message& message);

/// Gathers messages into calls (dialogs by INVITE with SDP), and REGISTERs of one Call-ID. Bounded: at most 4096 calls
/// are open, and they hold 24 MB at most; one that ended more than 10 s ago, or the oldest, is handed out to make room.
class CallTracker {
  public:
    std::function<void(const Call&)> on_call;

    void on_message(const MessageSeen& seen);
    /// For who reads live: hands out those that ended more than 10 s ago.
    void on_time(std::int64_t now_ns) { hand_out_ended(now_ns); }
    /// Hands out all that are left, oldest first.
    void finish();
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  ///< about what the open calls hold

  private:
    struct Open {
        Call call;
        std::size_t bytes = 0;  ///< about what it takes
        RewriteFinder rewrites = {};
        std::string heard_tag = {};           ///< the callee's, of the message that tells where it is
        std::array<bool, 2> behind_nat = {};  ///< of the caller, of the callee, as messages tell
    };
    using Calls = std::list<Open>;

    [[nodiscard]] Open* find_or_make(const MessageSeen& seen);
    void note_progress(Open& open, const MessageSeen& seen, const sip::CSeq& cseq, const std::string& tag);
    void note_client(const MessageSeen& seen);
    void note_nats(Open& open, const MessageSeen& seen, End maker, End writer);
    void note_whereabouts(Open& open, const MessageSeen& seen, End sender, const std::string& tag);
    void note_translation(Call& call, const MessageSeen& seen);
    void note_descriptions(Call& call, const MessageSeen& seen, const sip::CSeq& cseq, End sender,
                           const std::string& tag);
    void account(Open& open);
    void hand_out(Calls::iterator call);
    void hand_out_ended(std::int64_t now_ns);

    Calls calls_;  ///< oldest first
    std::unordered_map<std::string, Calls::iterator> by_id_;
    std::size_t bytes_ = 0;  ///< of all calls
    /// What a client behind a NAT said of itself, by where it sends from, and when it was heard last.
    struct Known {
        record::Nat nat;
        std::int64_t heard_ns = 0;
    };
    Recent<Endpoint, Known, EndpointHash> known_{4096};
    Registrations registrations_;
    std::uint64_t messages_ = 0;
};

/// An m= line and what it takes from its session part (media_description.cpp).
[[nodiscard]] MediaDescription media_description(const sdp::Document& document, const sdp::Media& media);

}  // namespace natkit::explain
