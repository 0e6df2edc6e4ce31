#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/dialog/observed_exchange.hpp"
#include "natkit/engine/explain/calls.hpp"

namespace natkit::explain {

/// The session descriptions of one request (INVITE, UPDATE, PRACK) and its answer on their way between two SIP hosts.
struct Hop {
    std::uint64_t frame = 0;
    Endpoint from, to;                     ///< of the request
    nat::Place from_place{};               ///< as the request shows its sender on this hop
    std::optional<nat::Place> to_place;    ///< as the response shows who it comes from, where that tells more
    std::string branch;                    ///< of the topmost Via
    std::string previous_branch;           ///< of the second Via: the hop it came by
    std::vector<MediaDescription> onward;  ///< what `to` is told: in the request; of a late offer in the ACK or PRACK
    std::vector<MediaDescription> back;    ///< what `from` is told: in the 2xx or a provisional response
};

/// An INVITE, first or later, or another request with an offer, wherever it was seen, in the order of the capture.
struct Exchange {
    std::string call_id;
    std::int64_t first_ns = 0, last_ns = 0;
    std::vector<Hop> hops;                  ///< at most 64
    std::array<std::string, 2> hosts = {};  ///< of the URIs of caller and callee
    bool pass = false;  ///< from a `pass` record of sipedge: other passes of the same call are exchanges of their own

    [[nodiscard]] bool answered() const;
};

/// Gathers exchanges by Call-ID, From tag and CSeq; of each call the last that was answered stays. Bounded: 4096 calls,
/// then the older half is handed out.
class HopTracker {
  public:
    std::function<void(std::vector<Exchange>)> on_exchanges;  ///< in the order of their beginning

    void on_message(const MessageSeen& seen);
    void finish();
    /// Of a call that is still held: its exchange, and up to 63 of other calls of the same time, which may be parts of
    /// its way through a B2BUA. Empty where it had no answer.
    [[nodiscard]] std::vector<Exchange> around(const std::string& call_id) const;

  private:
    struct CallSeen {
        std::string caller_tag;
        dialog::ObservedExchange offers;
        std::string open_key;  ///< From tag and CSeq of `open`
        Exchange open;
        std::optional<Exchange> answered;

        [[nodiscard]] const Exchange* last_answered() const;  ///< or null
    };
    static void take_late_answer(CallSeen& call, const MessageSeen& seen, const std::vector<MediaDescription>& streams);
    static void on_request(CallSeen& call, const MessageSeen& seen, const std::string& key, dialog::Role role);
    static void on_response(CallSeen& call, const MessageSeen& seen, const std::string& key);
    void hand_out(std::size_t count);

    std::unordered_map<std::string, CallSeen> calls_;
    std::deque<std::string> order_;
};

}  // namespace natkit::explain
