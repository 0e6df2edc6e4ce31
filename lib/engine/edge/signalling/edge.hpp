#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../media/media.hpp"
#include "../output.hpp"
#include "natkit/engine/edge/settings.hpp"
#include "natkit/proxy/authorise.hpp"
#include "natkit/proxy/challenges.hpp"
#include "natkit/proxy/flood.hpp"
#include "natkit/proxy/proven.hpp"
#include "natkit/proxy/reply_ports.hpp"
#include "natkit/proxy/unanswered.hpp"
#include "natkit/sip/flow.hpp"
#include "natkit/sip/locate.hpp"
#include "natkit/sip/registrar.hpp"
#include "natkit/sip/serialize.hpp"
#include "natkit/sip/transaction.hpp"

namespace natkit::edge {

/// Monotonic time for timers, time of day for registrations.
struct Now {
    Instant steady;
    WallTime wall;
};

/// What the core needs from outside besides time: unguessable text and a keyed hash.
struct Secrets {
    std::function<std::string()> random_hex;  ///< at least 64 bits
    sip::Mac mac;                             ///< a key that must outlive a restart
    sip::Cipher cipher;                       ///< of flow tokens; the same goes for its key
    sip::Hash hash{};                         ///< for passwords; needed where Settings::users is set
    /// When natkit began to encrypt tokens with this key; those of before hold for one Settings::max_dialog more.
    std::optional<WallTime> encrypts_since{};
};

/// A datagram as it arrived.
struct Arrival {
    sip::Flow flow;
    Side side{};  ///< of the interface it came in by
};

/// The edge: a record-routing proxy with an embedded registrar that knows where each party is and points SDP at relays
/// (RFC 3261 section 16; design section 5). Sans-I/O: every input returns through `out` what is to be done.
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
    /// Whether anything can be sent by this flow: a connection that is over never comes back.
    [[nodiscard]] bool alive(const sip::Flow& flow) const;
    /// The answer to an Output::lookups entry.
    void on_located(std::uint64_t ticket, const sip::Location& location, Now now, Output& out);
    /// What the certificate at the end of a flow of connection 0 must be for.
    [[nodiscard]] std::string name_of(const sip::Flow& flow) const;
    void on_leg_opened(std::uint64_t ticket, Result<Leg> leg, Now now, Output& out);
    void on_legs_lost(const std::vector<std::string>& legs, Now now, Output& out) {
        media_.on_legs_lost(legs, now.steady, out);
    }
    void on_client_dead(std::string_view binding_id, std::string_view reason, Now now, Output& out);
    void on_time(Now now, Output& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    [[nodiscard]] std::optional<WallTime> next_expiry() const { return registrar_.next_expiry(); }

    void restore(sip::Binding binding, WallTime now) { registrar_.restore(std::move(binding), now); }
    /// New lists, policies and limits; calls and registrations go on. Registered clients are judged anew.
    void set_settings(Settings settings, Now now, Output& out);
    /// The registered clients that other lists would put elsewhere.
    [[nodiscard]] std::vector<PlaceChange> place_changes(const nat::Networks& networks) const;
    /// No new calls from now on: 503 with Retry-After. What goes on inside dialogs is not touched.
    void set_draining(bool on) noexcept { draining_ = on; }
    [[nodiscard]] bool draining() const noexcept { return draining_; }

    [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
    [[nodiscard]] const sip::Registrar& registrar() const noexcept { return registrar_; }
    [[nodiscard]] Media& media() noexcept { return media_; }
    /// Requests that were one too many (proxy::FloodGate).
    [[nodiscard]] std::uint64_t flooded() const noexcept { return flood_.refused(); }
    [[nodiscard]] std::size_t transactions() const { return layer_.server_count() + layer_.client_count(); }
    /// What they take, with all that is kept for them: an estimate.
    [[nodiscard]] std::size_t transaction_bytes() const { return layer_.bytes(); }
    /// The connections with a dialog or with a transaction that is not over. Costs a look at each of those.
    [[nodiscard]] std::unordered_set<std::uint64_t> needed_connections() const;
    /// Who is at the end of a flow, as far as the flow alone tells.
    [[nodiscard]] proxy::Sender kind_of(const sip::Flow& flow) const;

  private:
    struct Upstream {  ///< what is known of a request's sender
        sip::Flow flow;
        nat::Verdict party;
        proxy::Sender sender{};
        sip::Share share{};
        bool by_password = false;  ///< which this request has carried
        bool elsewhere = false;    ///< the packet came from another port than `flow` names
    };
    /// Where the sender of a request is answered and called: by the flow that its packet came by, or, where it asks for
    /// no rport, as its Via says.
    struct Heard {
        sip::Flow flow;
        std::optional<sip::Flow> also{};  ///< for a repetition: the answer goes there too
        std::optional<sip::Flow> was{};   ///< `flow` has changed since the same request came before
    };
    /// A request without the routes that named us.
    struct Stripped {
        std::string uri;  ///< the Request-URI, or what a strict router has put behind it
        std::optional<sip::DialogToken> token;
        std::optional<sip::ClientToken> client;
        bool by_contact = false;  ///< the client's token stood in the Request-URI, in place of its Contact
        bool strict = false;      ///< the last Route value is the Request-URI (RFC 3261 section 16.4)
        std::uint64_t print = 0;  ///< what tells a loop from a spiral (RFC 5393 section 4.2)
        bool forged = false;
        bool over = false;  ///< `token` is that of a dialog that has ended
        std::size_t own_routes = 0;
        std::optional<std::string> next_route;  ///< the first that is somebody else's
    };
    struct Target {
        sip::Flow flow;
        nat::Verdict party;
        std::string uri;  ///< the new Request-URI
        int q = 1000;
        std::string server;             ///< the domain of [sip.routes] whose server this is
        std::vector<sip::Flow> others;  ///< to be tried in this order when the first does not serve
        std::string host;               ///< the next hop's name, for which its certificate must be
        std::string binding{};          ///< the id of the registration that led there
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
    /// By what a server reaches a client of it.
    enum class Placed : std::uint8_t {
        by_path,     ///< the client's own Contact, with our Path or without
        by_contact,  ///< a Contact of ours alone
    };
    /// A session description that came back: what is needed to know it again, for who rings may send many and long
    /// ones.
    struct Copy {
        std::uint64_t print = 0;           ///< of the response's To-tag, of its kind, of the description
        bool final = false;                ///< of a 2xx
        bool passed = false;               ///< false: legs are being opened for it
        std::optional<std::string> after;  ///< the body that was passed back: of the last of each kind
    };
    /// One place a request was sent to.
    struct Branch {
        sip::TransactionId client = 0;  ///< 0 until its offer is rewritten and it is sent
        sip::Flow flow;
        nat::Verdict party;
        std::string uri;
        std::string server;  ///< as in Target
        std::optional<SessionId> session;
        std::vector<SessionId> forks;  ///< of further To-tags: it forked beyond
        std::shared_ptr<const Registering> registering;
        std::optional<sip::Sent> sent;
        bool provisional = false;
        bool cancel_wanted = false;
        std::string cancel_reason;  ///< of its Reason field
        bool rang_out = false;      ///< timer C has fired
        int final_status = 0;
        bool refused_here = false;        ///< the failure is our own
        std::string final_bytes;          ///< a failure, ready to be passed back
        std::vector<sip::Flow> others;    ///< as in Target
        std::string host;                 ///< as in Target
        std::optional<std::string> body;  ///< as sent, as long as there are others
        std::vector<Copy> copies;
        std::vector<std::string> offered;  ///< To-tags that have offered, as the INVITE did not
    };
    /// A request being proxied: its server transaction and its branches (response context, RFC 3261 section 16.7).
    struct Context {
        sip::Message request;
        Upstream upstream;
        Stripped stripped;
        std::vector<Branch> branches;
        std::vector<Target> later;  ///< contacts of a lower q: asked when those before have failed, or do not answer
        bool succeeded = false;
        bool finished = false;            ///< a failure was passed back
        std::optional<SessionId> dialog;  ///< of a request inside a dialog
        End from = End::caller;           ///< in that dialog
        bool adopted = false;             ///< that dialog was not known before
        std::size_t weight = 0;           ///< bytes, as counted in kept_
    };
    struct Route {
        proxy::Destination destination{};
        std::vector<Target> targets;
        int status = 0;  ///< a refusal
        std::string reason;
        std::string lookup;  ///< this URI's host must be looked up first; then route again
    };
    /// A request whose next hop is being looked up. Its sender has been judged already.
    struct Parked {
        sip::TransactionId server = 0;  ///< 0: an ACK
        sip::Message request;
        Upstream upstream;
        Stripped stripped;
        std::string next_hop;
        unsigned lookups = 0;
    };
    /// What was found out about a next hop.
    struct NextHop {
        std::string next_hop;
        std::vector<sip::Located> places;
        bool failed = false;
    };

    /// What goes on when names have been looked up.
    using Continue = std::function<void(Now now, Output& out)>;
    struct NameLookup {
        std::uint64_t ticket = 0;
        HostName name;
    };
    struct NameWait {
        std::vector<HostName> missing;
        Continue then;
    };

    // edge.cpp: what comes in
    void take(const sip::Message& message, const sip::Flow& flow, Now now, Output& out);
    void learn_servers(const std::vector<Server>& before);
    [[nodiscard]] std::optional<sip::Message> fix_via(const sip::Message& message, const sip::Flow& flow) const;
    void on_event(const sip::RequestEvent& event, Now now, Output& out);
    void on_ack(const sip::AckEvent& event, Now now, Output& out);
    void proceed(Parked parked, Now now, Output& out);
    void send_ack(Parked parked, Now now, Output& out);
    void reject(sip::TransactionId server, const sip::Message& request, int status, std::string reason, Now now,
                Output& out, const std::vector<std::pair<std::string, std::string>>& extra = {});
    void respond(sip::TransactionId server, int status, std::string bytes, Now now, Output& out);
    void absorb(sip::TransactionOutput& produced, Now now, Output& out);
    [[nodiscard]] std::string tag_of(const sip::Message& request) const;
    [[nodiscard]] bool has_own_tag(const sip::Message& request) const;
    [[nodiscard]] bool refuse(sip::TransactionId server, const sip::Message& request, int status, std::string bytes,
                              Output& out);
    void keep(std::ptrdiff_t bytes);
    [[nodiscard]] static std::size_t weight_of(const sip::Message& message);
    void weigh(sip::TransactionId server);

    void on_request(const sip::Message& request, const sip::Flow& flow, Now now, Output& out);

    // reply_port.cpp: clients that listen on another port than they send from
    [[nodiscard]] Heard heard_from(const sip::Message& request, const sip::Flow& flow, Instant now);
    void answer_also(const sip::Flow& flow, const sip::Flow& answered, std::size_t first, Output& out) const;
    void change_reply_port(const sip::Message& request, const sip::Flow& from, const sip::Flow& to, Now now,
                           Output& out);

    // flows.cpp: connections that are over; who takes how much
    [[nodiscard]] bool in_own_dialog(const sip::Message& request, const sip::Flow& flow, Now now) const;
    [[nodiscard]] sip::Asker asker_of(const sip::Message& request, const sip::Flow& flow, Now now) const;
    [[nodiscard]] sip::Share share_of(proxy::Sender sender, bool in_dialog) const;
    [[nodiscard]] static bool spoofable(const sip::Flow& flow, proxy::Sender kind);
    void learn_proof(const sip::Message& message, const sip::Flow& flow, Now now);
    [[nodiscard]] bool floods(const sip::Message& request, const sip::Flow& flow, Now now, Output& out);
    /// A BYE that cannot reach the other end ends the call all the same.
    void end_without_peer(const Parked& asked, Now now, Output& out);
    void follow_sender(Context& context, Now now, Output& out);
    // authorise.cpp: who a request is from
    [[nodiscard]] Upstream upstream_of(const sip::Message& request, const sip::Flow& flow, const Stripped& stripped,
                                       bool password = false) const;
    [[nodiscard]] proxy::Facts facts_of(const sip::Message& request, const sip::Flow& flow, nat::Place place,
                                        const Stripped& stripped) const;
    [[nodiscard]] std::optional<sip::Uri> claimed_user(const sip::Message& request) const;
    [[nodiscard]] std::optional<sip::Credentials> own_credentials(const sip::Message& request, sip::Name name,
                                                                  std::string_view realm) const;
    [[nodiscard]] static bool for_this_uri(const sip::Credentials& credentials, const sip::Message& request,
                                           const std::string& uri);
    void remove_own_passwords(sip::Edit& edit, const sip::Message& request) const;
    void remove_own_challenges(sip::Edit& edit, const sip::Message& response) const;
    [[nodiscard]] sip::Flow lasting(const sip::Flow& flow, const sip::Message& request) const;
    [[nodiscard]] bool is_party(const sip::Flow& flow, SessionId session) const;
    [[nodiscard]] bool admit(const sip::RequestEvent& event, const Stripped& stripped, Upstream& from, Now now,
                             Output& out);
    /// True: an unproved flow is no password; it was answered.
    [[nodiscard]] bool lacks_proof(Parked& asked, const Route& found, Now now, Output& out);
    [[nodiscard]] bool prove(const sip::RequestEvent& event, const Stripped& stripped, Upstream& from,
                             const std::optional<sip::Credentials>& credentials, Now now, Output& out);
    [[nodiscard]] std::string realm_for(const std::optional<sip::Uri>& user) const;
    void challenge(const sip::RequestEvent& event, int status, std::string_view user, const std::string& realm,
                   bool stale, Now now, Output& out);
    [[nodiscard]] bool is_server(const sip::Flow& flow, std::string_view domain = {}) const;
    [[nodiscard]] bool unwelcome(const sip::Message& request, const sip::Flow& flow) const;
    void learn_server(const std::string& domain, const IpAddress& address, Now now);
    [[nodiscard]] bool has_extensions(const sip::RequestEvent& event, sip::Name field, Now now, Output& out);
    [[nodiscard]] proxy::Payer payer_of(const sip::Message& request, const Upstream& from) const;
    [[nodiscard]] bool has_too_many(const Parked& asked, const Route& found, Now now, Output& out);
    [[nodiscard]] bool trusted(const sip::Flow& flow, const nat::Verdict& party) const;
    void remove_identities(sip::Edit& edit, const sip::Message& message, bool from_trusted, bool to_trusted) const;

    // route.cpp: where a request goes
    [[nodiscard]] Stripped strip_routes(const sip::Message& request, Now now) const;
    [[nodiscard]] static std::uint64_t fingerprint(const sip::Message& request, const sip::Flow& flow);
    void read_token(const std::string& user, const sip::Message& request, Now now, Stripped& stripped) const;
    [[nodiscard]] std::optional<sip::ClientToken> client_token(std::string_view user, WallTime now) const;
    [[nodiscard]] bool looped(const sip::Message& request, const Stripped& stripped) const;
    [[nodiscard]] Route route_to_client(const Upstream& from, const Stripped& stripped) const;
    [[nodiscard]] Route route_to_server(const Server& server, const std::string& request_uri) const;
    [[nodiscard]] Route route(const sip::Message& request, const Upstream& from, const Stripped& stripped,
                              WallTime now) const;
    [[nodiscard]] Route route_in_dialog(const sip::Message& request, const Upstream& from,
                                        const Stripped& stripped) const;
    [[nodiscard]] Route route_to_user(const sip::Uri& uri, WallTime now) const;

    // locate.cpp: next hops by name
    /// `configured`: the next hop is from the configuration, and may be on this host or on the LAN.
    [[nodiscard]] Route route_to_address(const std::string& next_hop, const std::string& request_uri,
                                         bool configured = false) const;
    [[nodiscard]] sip::Abilities abilities() const;
    void look_up_servers(Now now, Output& out);
    [[nodiscard]] bool on_server_located(std::uint64_t ticket, const sip::Location& location, Now now);
    [[nodiscard]] std::optional<sip::Flow> flow_to(const sip::Located& place, bool configured) const;
    [[nodiscard]] bool park(Parked parked, std::string next_hop, Output& out);
    [[nodiscard]] bool cancel_parked(sip::TransactionId server, Now now, Output& out);
    void keep_name(const sip::Flow& flow, const std::string& host);
    [[nodiscard]] static std::optional<std::chrono::milliseconds> patience(const Branch& branch);
    [[nodiscard]] bool try_next(sip::TransactionId server, std::size_t branch, Now now, Output& out);

    // names.cpp: names in descriptions
    [[nodiscard]] bool names_known(std::string_view description, Now now);
    void with_names(std::string_view description, const Upstream& from, Now now, Output& out, Continue then);
    [[nodiscard]] bool look_up(const HostName& name, const Upstream& from, Now now, Output& out);
    [[nodiscard]] bool on_name_located(std::uint64_t ticket, const sip::Location& location, Now now, Output& out);
    [[nodiscard]] static proxy::FloodLimits name_limits(const Settings& settings);
    [[nodiscard]] bool may_be_media(const IpAddress& address) const;

    // forward.cpp: requests on their way out
    void forward(sip::TransactionId server, Route route, Now now, Output& out);
    void start_next(sip::TransactionId server, Now now, Output& out);
    [[nodiscard]] bool asks_for_relay(const Result<sip::NameAddr>& party) const;
    void add_branch(Context& context, Target target, Now now);
    void start_branch(sip::TransactionId server, std::size_t branch, Now now, Output& out);
    void refuse_branch(sip::TransactionId server, std::size_t branch, int status, Now now, Output& out,
                       const std::vector<std::pair<std::string, std::string>>& extra = {});
    void send_branch(sip::TransactionId server, std::size_t branch, std::optional<std::string> body, Now now,
                     Output& out);
    [[nodiscard]] std::string own_via(const sip::Flow& flow, std::string_view branch) const;
    [[nodiscard]] sip::Sent outgoing(const sip::Message& request, const Upstream& from, const Branch& branch,
                                     const Stripped& stripped, std::optional<std::string> body, WallTime now) const;
    [[nodiscard]] std::vector<std::string> record_routes(const sip::Message& request, const sip::Flow& from,
                                                         const sip::Flow& to, WallTime now) const;
    void take_and_pass_ack(const Parked& parked, const Branch& branch, SessionId session, Now now, Output& out);
    void pass_ack(const Parked& parked, const Branch& branch, std::optional<std::string> body, WallTime now,
                  Output& out) const;
    void branch_failed(sip::TransactionId server, std::size_t branch, int status, std::string bytes, Now now,
                       Output& out);

    // exchange.cpp: which description is an offer and which an answer
    [[nodiscard]] static bool reliable(const sip::Message& response);
    static void warn_unchanged(const sip::Message& message, Output& out);
    [[nodiscard]] std::optional<SessionId> session_of(sip::TransactionId server, Branch& branch,
                                                      const sip::Message& response, Now now);
    void adopt(Context& context, const Target& target, Now now);
    void refuse_offer(sip::TransactionId server, std::size_t branch, const Error& why, Now now, Output& out);
    void settle(sip::TransactionId server, SessionId session, const sip::Message& response, Now now, Output& out);
    void end_branch(Branch& branch, int status, Now now, Output& out);
    void read_response(sip::TransactionId server, std::size_t branch, const sip::Message& response, SessionId session,
                       std::string body, Now now, Output& out);
    void take_request(sip::TransactionId server, std::size_t branch, const std::string& body, Now now, Output& out);
    void take_response(sip::TransactionId server, std::size_t branch, const sip::Message& response, SessionId session,
                       std::string body, Now now, Output& out, bool legs_are_open = false);
    void take_late_offer(sip::TransactionId server, std::size_t branch, const sip::Message& response, SessionId session,
                         std::string body, Now now, Output& out);
    void give_back(sip::TransactionId server, std::size_t branch, const sip::Message& response, SessionId session,
                   const std::string& before, const Result<std::string>& after, Now now, Output& out);
    [[nodiscard]] std::optional<std::string> take_ack(const sip::Message& ack, SessionId session, Now now, Output& out);

    // response.cpp: what comes back
    void on_event(const sip::ResponseEvent& event, Now now, Output& out);
    void on_event(const sip::TimeoutEvent& event, Now now, Output& out);
    void pass_back(sip::TransactionId server, std::size_t branch, const sip::Message& response,
                   std::optional<SessionId> session, std::optional<std::string> body, Now now, Output& out);
    void on_success(sip::TransactionId server, std::size_t branch, const sip::Message& response, Now now, Output& out);
    [[nodiscard]] static std::string completed(const std::string& bytes, int status,
                                               const std::vector<Branch>& branches, std::size_t chosen);
    void pass_best(sip::TransactionId server, Now now, Output& out);
    void on_cancel(const sip::RequestEvent& event, Now now, Output& out);
    void cancel_branch(Branch& branch, std::string_view reason, Now now, Output& out);
    void finish_dialog_request(Context& context, int status, Now now, Output& out);
    void forget_finished(Instant now);

    // home.cpp: users of other servers
    /// `left`: Contacts that the server has shown, and is to take back.
    [[nodiscard]] std::shared_ptr<const Registering> plan_register(const Context& context, const Target& target,
                                                                   Now now, std::vector<std::string> left = {}) const;
    void note_placed(const std::string& id, Placed how);
    [[nodiscard]] std::vector<std::string> left_behind(const Registering& plan, const sip::Message& response,
                                                       WallTime now) const;
    [[nodiscard]] std::vector<std::string> to_take_back(const Registering& plan, const std::string& domain,
                                                        const sip::Message& response, Now now, Output& out);
    [[nodiscard]] bool registers_elsewhere(const sip::Message& request, const Route& found) const;
    static void apply_plan(sip::Edit& edit, const sip::Message& request, const Registering& plan);
    static void undo_plan(sip::Edit& edit, const sip::Message& request, const sip::Message& response,
                          const Registering& plan);
    [[nodiscard]] bool on_registered(sip::TransactionId server, std::size_t branch, const sip::Message& response,
                                     Now now, Output& out);
    void note_challenge(const Registering& plan, const std::string& domain, const sip::Message& response,
                        const sip::Flow& to);
    [[nodiscard]] bool has_proved(const Context& context, const Branch& branch, const std::string& id) const;
    void learn_registration(const Context& context, const Branch& branch, const sip::Message& response, Now now,
                            Output& out);

    // reach.cpp: whether a client receives what is sent to the address it registers from
    [[nodiscard]] std::string site_text(const sip::Flow& flow) const;
    [[nodiscard]] std::string look_branch(const sip::Binding& binding) const;
    void look_for(const sip::Binding& binding, Now now, Output& out);
    void note_found(const sip::Message& response, const sip::Flow& flow, Now now, Output& out);

    // register.cpp
    void on_register(const sip::RequestEvent& event, const Upstream& from, Now now, Output& out);
    [[nodiscard]] bool may_register(const sip::RequestEvent& event, const Upstream& from, const sip::Uri& user,
                                    sip::Registration& registration, Now now, Output& out);
    void apply(std::vector<sip::BindingChange> changes, Now now, Output& out);

    [[nodiscard]] std::string host_port(const sip::Flow& flow) const;  ///< what a neighbour on this flow is told of us

    bool draining_ = false;
    Settings settings_;
    Secrets secrets_;
    sip::TransactionLayer layer_;
    sip::Registrar registrar_;
    Media media_;
    sip::Authenticator authenticator_;
    /// By domain: the addresses of its server, and until when each is known to be one.
    std::map<std::string, std::map<IpAddress, Instant>, std::less<>> server_addresses_;
    std::optional<Instant> servers_due_;                             ///< when the names of servers are looked up again
    std::unordered_map<std::uint64_t, std::string> server_lookups_;  ///< domains by ticket
    proxy::Challenges challenges_;                                   ///< of the servers, to users of theirs
    /// Domains whose server has not shown that it knows Path, and until when that is believed.
    std::map<std::string, Instant, std::less<>> without_path_;
    std::unordered_map<std::string, Placed> placed_;  ///< by the id of the binding; bounded as those are
    std::unordered_map<sip::TransactionId, Context> contexts_;
    std::unordered_map<sip::TransactionId, sip::TransactionId> server_of_client_;
    Deadlines<sip::TransactionId> forget_;
    std::vector<NameLookup> name_lookups_;
    std::vector<NameWait> waiting_for_names_;
    proxy::FloodGate name_gate_;
    std::unordered_map<std::uint64_t, Parked> parked_;  ///< by the ticket of its lookup
    std::unordered_map<sip::TransactionId, std::uint64_t> parked_of_server_;
    std::uint64_t next_lookup_ = 1;
    std::unordered_map<std::string, std::string> names_;  ///< of servers by TLS, by flow
    const NextHop* located_ = nullptr;                    ///< while a parked request goes on
    std::unordered_set<std::string> avoided_;             ///< flows to places that did not serve, for a while
    Deadlines<std::string> unavoid_;
    proxy::FloodGate flood_;
    proxy::Unanswered unanswered_;
    proxy::ReplyPorts reply_ports_;
    bool elsewhere_ = false;  ///< while a request is read: its packet came from another port than its sender listens on
    proxy::Proven proven_;
    std::size_t arrived_ = 0;                        ///< bytes of the datagram that is being looked at; 0: of none
    std::size_t kept_ = 0;                           ///< bytes, by contexts
    std::unordered_set<std::uint64_t> connections_;  ///< that have spoken, and live
    Deadlines<sip::TransactionId> no_answer_;        ///< when contacts of a lower q are asked too
};

}  // namespace natkit::edge
