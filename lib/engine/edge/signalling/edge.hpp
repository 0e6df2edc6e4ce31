#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../registration/registrations.hpp"
#include "name_lookups.hpp"
#include "natkit/proxy/reply_ports.hpp"
#include "parked.hpp"
#include "proxy.hpp"

namespace natkit::edge {

/// A datagram, or a message of a connection, as it arrived.
struct Arrival {
    sip::Flow flow;
    Side side{};  ///< of the interface it came in by
};

/// The edge: a record-routing proxy with an embedded registrar that knows where each party is and points SDP at relays
/// (RFC 3261 section 16; design section 5). Sans-I/O: every input returns through `out` what is to be done. What comes
/// in is handed to those it is for: Admission, Registrations, Proxy, Media.
class Edge {
  public:
    Edge(Settings settings, Secrets secrets);
    Edge(const Edge&) = delete;
    Edge& operator=(const Edge&) = delete;

    void on_packet(const Arrival& arrival, std::string bytes, Now now, Output& out);
    /// A TCP or TLS connection is over: who registered by it is gone, requests that wait on it fail.
    void on_flow_closed(const sip::Flow& flow, std::string_view reason, Now now, Output& out);
    /// What was sent to a server by a flow of connection 0 cannot get there.
    void on_flow_unreachable(const sip::Flow& flow, std::string_view reason, Now now, Output& out);
    /// The answer to an Output::lookups entry.
    void on_located(std::uint64_t ticket, const sip::Location& location, Now now, Output& out);
    void on_leg_opened(std::uint64_t ticket, Result<RelayLeg> leg, Now now, Output& out);
    void on_legs_lost(const std::vector<std::string>& legs, Now now, Output& out) {
        media_.on_legs_lost(legs, now.steady, out);
    }
    void on_client_dead(std::string_view binding_id, std::string_view reason, Now now, Output& out);
    /// Ends a call; how many of its dialogs, and INVITEs on their way, there were. `who` for the log.
    [[nodiscard]] std::size_t hang_up(std::string_view call_id, std::string_view who, Now now, Output& out);
    /// Removes the registrations of a name: an id, an address of record, or a Contact. How many there were.
    [[nodiscard]] std::size_t remove_clients(std::string_view name, std::string_view who, Now now, Output& out);
    void on_time(Now now, Output& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    [[nodiscard]] std::optional<WallTime> next_expiry() const;

    void restore(sip::Binding binding, WallTime now) { registrar_.restore(std::move(binding), now); }
    /// What the active node has, while this one is a standby: in place of the binding with its id, and told to nobody.
    void replace(sip::Binding binding, WallTime now) { (void)registrar_.replace(std::move(binding), now); }
    /// The same of what it has no more.
    void forget(std::string_view id) { (void)registrar_.remove(id); }
    /// In place of on_time() while this node is a standby: the ids of what has expired. Servers are looked up: they are
    /// to be known at once when it is active.
    [[nodiscard]] std::vector<std::string> on_standby_time(Now now, Output& out);
    [[nodiscard]] std::optional<Instant> next_standby_deadline() const { return servers_.due(); }

    // peers.cpp: where several edges are active
    /// What natkit-cluster tells of a client that is another node's: it is reached there from now on. One of this
    /// node's with that id is dropped, unless it is newer; its calls go on.
    [[nodiscard]] Result<void> set_foreign(ForeignClient client, Now now, Output& out);
    /// A client is this node's from now on, by the socket that it registered at or by one like it; one that is newer
    /// here stays.
    [[nodiscard]] Result<void> take_over(sip::Binding binding, Now now, Output& out);
    /// A client of another node is registered nowhere any more.
    void forget_foreign(std::string_view id) { peers_.clients().forget(id); }
    [[nodiscard]] const ForeignClients& foreign() const noexcept { return peers_.clients(); }
    /// As tokens name it.
    void set_epoch(std::uint64_t epoch) noexcept { peers_.set_epoch(epoch); }

    /// The host's addresses have changed, and nothing else.
    void set_listeners(std::vector<Listener> listeners) { settings_.listeners = std::move(listeners); }
    /// New lists, policies and limits; calls and registrations go on. Registered clients are judged anew.
    void set_settings(Settings settings, Now now, Output& out);
    /// The registered clients that other lists would put elsewhere.
    [[nodiscard]] std::vector<PlaceChange> place_changes(const nat::Networks& networks) const {
        return registrations_.place_changes(networks);
    }
    /// No new calls from now on: 503 with Retry-After. What goes on inside dialogs is not touched.
    void set_draining(bool on) noexcept { draining_ = on; }

    [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
    [[nodiscard]] const sip::Registrar& registrar() const noexcept { return registrar_; }
    [[nodiscard]] Media& media() noexcept { return media_; }
    [[nodiscard]] const Media& media() const noexcept { return media_; }
    /// Requests that were one too many (proxy::FloodGate).
    [[nodiscard]] std::uint64_t flooded() const noexcept { return admission_.flooded(); }
    [[nodiscard]] std::size_t transactions() const { return layer_.server_count() + layer_.client_count(); }
    /// What they take, with all that is kept for them: an estimate.
    [[nodiscard]] std::size_t transaction_bytes() const { return layer_.bytes(); }
    /// The connections with a dialog or with a transaction that is not over. Costs a look at each of those.
    [[nodiscard]] std::unordered_set<std::uint64_t> needed_connections() const;
    /// Who is at the end of a flow, as far as the flow alone tells.
    [[nodiscard]] proxy::Sender kind_of(const sip::Flow& flow) const { return neighbours_.kind_of(flow); }
    /// What the certificate at the end of a flow of connection 0 must be for.
    [[nodiscard]] std::string name_of(const sip::Flow& flow) const { return next_hops_.name_of(flow); }

  private:
    /// Where the sender of a request is answered and called: by the flow that its packet came by, or, where it asks for
    /// no rport, as its Via says.
    struct Heard {
        sip::Flow flow;
        std::optional<sip::Flow> also{};  ///< for a repetition: the answer goes there too
        std::optional<sip::Flow> was{};   ///< `flow` has changed since the same request came before
    };

    // edge.cpp: messages, from the packet to who they are for
    void refuse_unsound(const sip::Message& message, const sip::Flow& flow, const Error& why, Output& out) const;
    void absorb(sip::TransactionOutput& produced, Now now, Output& out);
    [[nodiscard]] std::optional<JudgedRequest> judge(const sip::RequestEvent& event, Now now, Output& out);
    [[nodiscard]] std::optional<Route> route_of(JudgedRequest& asked, const LocatedHop* located, Now now, Output& out);
    void on_ack(const sip::AckEvent& event, Now now, Output& out);
    void on_cancel(const sip::RequestEvent& event, Now now, Output& out);
    [[nodiscard]] std::optional<Answer> refusal_of(const JudgedRequest& asked, Output& out) const;
    [[nodiscard]] std::optional<Answer> answer_for_edge(const JudgedRequest& asked, const sip::Uri& uri) const;
    void send_ack_on(JudgedRequest ack, const LocatedHop* located, Now now, Output& out);
    void end_without_peer(const JudgedRequest& bye, Now now, Output& out);
    void look_up_servers(Now now, Output& out);

    // peers.cpp: what other edges have passed on
    void on_peer_packet(const sip::Flow& flow, std::string bytes, Now now, Output& out);
    /// Whom it is from; nothing: no edge has passed it on, and it is dropped.
    [[nodiscard]] std::optional<Upstream> peer_upstream(const sip::Message& request, const sip::Flow& flow, Now now,
                                                        Output& out);

    // reply_port.cpp: clients that listen on another port than they send from
    [[nodiscard]] Heard heard_from(const sip::Message& request, const sip::Flow& flow, Instant now);
    void answer_also(const sip::Flow& flow, const sip::Flow& answered, std::size_t first, std::size_t asked,
                     Output& out) const;
    void change_reply_port(const sip::Message& request, const sip::Flow& from, const sip::Flow& to, Now now,
                           Output& out);

    bool draining_ = false;
    Settings settings_;
    Secrets secrets_;
    sip::TransactionLayer layer_;
    sip::Registrar registrar_;
    Servers servers_;
    Media media_;
    proxy::Unanswered unanswered_;
    proxy::ReplyPorts reply_ports_;
    Lookups lookups_;
    Peers peers_;
    std::unordered_map<std::uint64_t, std::string> server_lookups_;  ///< domains by ticket
    Neighbours neighbours_;
    NextHops next_hops_;
    Router router_;
    Answers answers_;
    Admission admission_;
    HomeServers home_;
    Registrations registrations_;
    NameLookups name_lookups_;
    ParkedRequests parked_;
    Proxy proxy_;
};

}  // namespace natkit::edge
