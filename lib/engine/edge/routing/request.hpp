#pragma once

#include <chrono>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../media/media.hpp"
#include "natkit/proxy/authorise.hpp"
#include "natkit/sip/flow.hpp"
#include "natkit/sip/transaction.hpp"

/// What signalling knows of a request, from its arrival to the last of its answers.
namespace natkit::edge {

/// Monotonic time for timers, time of day for registrations.
struct Now {
    Instant steady;
    WallTime wall;
};

/// What is known of a request's sender.
struct Upstream {
    sip::Flow flow;
    nat::Verdict verdict;
    proxy::Sender sender{};
    sip::Share share{};
    bool by_password = false;  ///< which this request has carried
    bool elsewhere = false;    ///< the packet came from another port than `flow` names
    /// Where it came from at the edge that had it first, where that is another one: `flow` leads to that edge then.
    std::optional<Endpoint> origin{};
    std::uint64_t binding = 0;  ///< the registration that edge has it for; 0: none
    std::uint64_t epoch = 0;    ///< of this node, when it told that edge of the registration; 0: not known

    [[nodiscard]] const Endpoint& source() const noexcept { return origin ? *origin : flow.remote; }
};

/// What becomes of its routes whenever a request is sent.
struct OwnRoutes {
    std::size_t own_routes = 0;  ///< that named us
    bool strict = false;         ///< the last Route value is the Request-URI (RFC 3261 section 16.4)
    std::uint64_t print = 0;     ///< what tells a loop from a spiral (RFC 5393 section 4.2)
};

/// A request without the routes that named us.
struct Stripped : OwnRoutes {
    std::string uri;  ///< the Request-URI, or what a strict router has put behind it
    std::optional<sip::DialogToken> token;
    std::optional<sip::ClientToken> client;
    bool by_contact = false;  ///< the client's token stood in the Request-URI, in place of its Contact
    bool forged = false;
    bool over = false;                      ///< `token` is that of a dialog that has ended
    std::optional<std::string> next_route;  ///< the first that is somebody else's
    std::optional<std::uint64_t> edge;      ///< the node whose edge sees to its dialog, where it is another one
    bool between_edges = false;             ///< the first that named us is the one that other edges are shown
};

/// A request or an ACK (server 0) whose sender has been judged.
struct JudgedRequest {
    sip::TransactionId server = 0;
    sip::Message request;
    sip::Flow flow;  ///< that its packet came by
    sip::Asker asker;
    Upstream upstream{};
    Stripped stripped{};
    unsigned lookups = 0;  ///< of its next hop, so far
};

/// Header fields to be added to an answer.
using Fields = std::vector<std::pair<std::string, std::string>>;

/// A final response of our own.
struct Answer {
    int status = 0;
    std::string reason{};  ///< empty: the status's own
    Fields fields{};
};

/// A place that a request can be sent to.
struct Target {
    sip::Flow flow;
    nat::Verdict verdict;
    std::string uri;  ///< the new Request-URI
    int q = 1000;
    std::string server;             ///< the domain of [sip.routes] whose server this is
    std::vector<sip::Flow> others;  ///< to be tried in this order when the first does not serve
    std::string host;               ///< the next hop's name, for which its certificate must be
    std::string binding{};          ///< the id of the registration that led there
};

/// Where a request goes.
struct Route {
    proxy::Destination destination{};
    std::vector<Target> targets;
    int status = 0;  ///< a refusal
    std::string reason;
    std::string lookup;  ///< this URI's host must be looked up first; then route again
};

/// What was found out about a next hop that is named.
struct LocatedHop {
    std::string next_hop;
    std::vector<sip::Located> places;
    bool failed = false;  ///< the name servers do not answer
};

/// A REGISTER on its way to another server.
struct Registering {
    struct Item {
        std::string contact;  ///< as the client wrote it
        std::string id;       ///< of the binding it becomes
        std::string shown;    ///< by_contact: what the server is told instead
        std::optional<std::chrono::seconds> expires;
    };
    std::string aor;
    std::vector<Item> items;
    std::string path;  ///< our Path URI; empty: by_contact
    bool by_contact = false;
    bool remove_all = false;
    std::vector<std::string> taken_back;  ///< Contacts that the server may have from before: of the same clients
    std::uint32_t cseq = 0;               ///< in place of the client's; 0: that one
    bool again = false;                   ///< the client's REGISTER was sent before; it is not sent a third time
};

/// A session description that came back: what is needed to know it again, for who rings may send many and long ones.
struct DescriptionCopy {
    std::uint64_t print = 0;           ///< of the response's To-tag, of its kind, of the description
    bool final = false;                ///< of a 2xx
    bool passed = false;               ///< false: legs are being opened for it
    std::optional<std::string> after;  ///< the body that was passed back: of the last of each kind
};

/// One place a request was sent to.
struct Branch {
    std::size_t number = 0;         ///< its place among those of its request
    sip::TransactionId client = 0;  ///< 0 until its offer is rewritten and it is sent
    sip::Flow flow;
    nat::Verdict verdict;
    std::string uri;
    std::string server;  ///< as in Target
    std::optional<SessionId> session;
    std::vector<SessionId> forks;  ///< of further To-tags: it forked beyond
    std::shared_ptr<const Registering> registering;
    std::unique_ptr<sip::Sent> sent;  ///< as long as it may be cancelled
    bool provisional = false;
    bool cancel_wanted = false;
    std::string cancel_reason;  ///< of its Reason field
    bool rang_out = false;      ///< timer C has fired
    int final_status = 0;
    bool refused_here = false;        ///< the failure is our own
    std::string final_bytes;          ///< a failure, ready to be passed back
    std::vector<sip::Flow> others;    ///< as in Target
    std::string host;                 ///< as in Target
    std::string binding;              ///< as in Target
    std::optional<std::string> body;  ///< as sent, as long as there are others
    std::vector<DescriptionCopy> copies;
    std::vector<std::string> offered;  ///< To-tags that have offered, as the INVITE did not
};

/// A request being proxied: its server transaction and its branches (response context, RFC 3261 section 16.7).
struct Context {
    sip::TransactionId server = 0;
    sip::Message request;
    Upstream upstream;
    OwnRoutes routes;
    std::list<Branch> branches;  ///< grows, and each stays in its place
    std::vector<Target> later;   ///< contacts of a lower q: asked when those before have failed, or do not answer
    bool succeeded = false;
    bool finished = false;            ///< a failure was passed back
    std::optional<SessionId> dialog;  ///< of a request inside a dialog
    End from = End::caller;           ///< in that dialog
    bool adopted = false;             ///< that dialog was not known before
    std::size_t weight = 0;           ///< bytes, as they are counted

    [[nodiscard]] Branch& branch(std::size_t number) {
        return *std::next(branches.begin(), static_cast<std::ptrdiff_t>(number));
    }
};

/// The number in its CSeq; 0: it has none.
[[nodiscard]] inline std::uint32_t number_of(const sip::Message& message) {
    const auto& cseq = message.cseq();
    return cseq ? cseq->number : 0;
}

/// What keeping a message takes, in bytes: an estimate.
[[nodiscard]] inline std::size_t weight_of(const sip::Message& message) {
    return message.bytes().size() + message.headers().size() * sizeof(sip::Header);
}

}  // namespace natkit::edge
