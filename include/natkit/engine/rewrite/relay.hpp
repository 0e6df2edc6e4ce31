#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "natkit/nat/networks.hpp"
#include "natkit/sdp/rewrite.hpp"
#include "natkit/sip/message/message.hpp"

/// What sdprewrite(1) --relay does for a call: legs at a running mediarelay.
namespace natkit::rewrite {

/// Who sent a message, as far as the input says.
struct Sender {
    std::optional<Endpoint> source;
    std::optional<Endpoint> destination;
    std::string place;  ///< of the record's `nat` object; empty: the relay decides
};

/// Asks a running mediarelay for the endpoints that descriptions are to name: two legs for each stream of a call, one
/// for each party; joined once both have said where they are; freed by BYE, or when every branch of the INVITE was
/// refused. What a rejected offer would have changed stays.
///
/// Nothing of a call is kept here: its legs are found by Call-ID, and what must be known of the messages before is
/// carried by them. So each message of a call may be given to another process, and to several at once: of two that
/// change a call at the same time one begins anew.
class Relay {
  public:
    Relay(const std::string& socket, nat::Networks networks);
    ~Relay();

    /// Before a message's descriptions are rewritten: finds its call, and what the message asks for.
    /// Errc of the relay.
    [[nodiscard]] Result<void> on_message(const sip::Message& message, const Sender& sender);
    /// The legs that the other party is to be shown, for a description of that message.
    [[nodiscard]] Result<std::vector<std::optional<sdp::MediaTarget>>> targets(const sdp::Document& document);
    /// Afterwards, rewritten or not: does what the message asks for, as far as targets() has not done it.
    [[nodiscard]] Result<void> end_message();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::rewrite
