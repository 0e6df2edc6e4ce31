#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/engine/edge/media.hpp"
#include "natkit/engine/edge/output.hpp"
#include "natkit/engine/edge/settings.hpp"
#include "natkit/proxy/authorise.hpp"
#include "natkit/sip/flow.hpp"
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
    sip::Mac mac;                             ///< the key of flow tokens; must outlive a restart
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
    void on_leg_opened(std::uint64_t ticket, Result<Leg> leg, Now now, Output& out);
    void on_legs_lost(const std::vector<std::string>& legs, Output& out) { media_.on_legs_lost(legs, out); }
    void on_client_dead(std::string_view binding_id, std::string_view reason, Output& out);
    void on_time(Now now, Output& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    [[nodiscard]] std::optional<WallTime> next_expiry() const { return registrar_.next_expiry(); }

    void restore(sip::Binding binding, WallTime now) { registrar_.restore(std::move(binding), now); }
    /// New lists, policies and limits; calls and registrations go on.
    void set_settings(Settings settings);
    /// No new calls from now on: 503 with Retry-After. What goes on inside dialogs is not touched.
    void set_draining(bool on) noexcept { draining_ = on; }
    [[nodiscard]] bool draining() const noexcept { return draining_; }

    [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
    [[nodiscard]] const sip::Registrar& registrar() const noexcept { return registrar_; }
    [[nodiscard]] Media& media() noexcept { return media_; }
    [[nodiscard]] std::size_t transactions() const { return layer_.server_count() + layer_.client_count(); }

  private:
    /// One place a request was sent to.
    struct Branch {
        sip::TransactionId client = 0;  ///< 0 until its offer is rewritten and it is sent
        sip::Flow flow;
        nat::Verdict party;
        std::string uri;
        std::optional<SessionId> session;
        std::shared_ptr<const sip::Message> sent;
        bool provisional = false;
        bool cancel_wanted = false;
        int final_status = 0;
        std::string final_bytes;  ///< a failure, ready to be passed back
    };
    /// A request being proxied: its server transaction and its branches (response context, RFC 3261 section 16.7).
    struct Context {
        sip::Message request;
        sip::Flow flow;
        std::vector<Branch> branches;
        bool succeeded = false;
        bool finished = false;            ///< a failure was passed back
        std::optional<SessionId> dialog;  ///< of a request inside a dialog
        End from = End::caller;           ///< in that dialog
    };
    struct Target {
        sip::Flow flow;
        nat::Verdict party;
        std::string uri;  ///< the new Request-URI
    };
    struct Route {
        proxy::Destination destination{};
        std::vector<Target> targets;
        int status = 0;  ///< a refusal
        std::string reason;
    };
    struct Upstream {  ///< what is known of a request's sender
        sip::Flow flow;
        nat::Verdict party;
        proxy::Sender sender{};
    };
    /// A request without the routes that named us.
    struct Stripped {
        std::optional<sip::DialogToken> token;
        bool forged = false;
        std::size_t own_routes = 0;
        std::optional<std::string> next_route;  ///< the first that is somebody else's
    };

    // edge.cpp: what comes in
    [[nodiscard]] std::optional<sip::Message> fix_via(const sip::Message& message, const sip::Flow& flow) const;
    void on_event(const sip::RequestEvent& event, Now now, Output& out);
    void on_ack(const sip::AckEvent& event, Now now, Output& out);
    void reject(sip::TransactionId server, const sip::Message& request, int status, std::string reason, Now now,
                Output& out, const std::vector<std::pair<std::string, std::string>>& extra = {});
    void respond(sip::TransactionId server, int status, std::string bytes, Now now, Output& out);
    void absorb(sip::TransactionOutput& produced, Now now, Output& out);

    // route.cpp: where a request goes
    [[nodiscard]] Stripped strip_routes(const sip::Message& request) const;
    [[nodiscard]] Upstream upstream_of(const sip::Message& request, const sip::Flow& flow) const;
    [[nodiscard]] Route route(const sip::Message& request, const Upstream& from, const Stripped& stripped,
                              WallTime now) const;
    [[nodiscard]] Route route_in_dialog(const sip::Message& request, const Upstream& from,
                                        const Stripped& stripped) const;
    [[nodiscard]] Route route_to_user(const sip::Uri& uri, WallTime now) const;
    [[nodiscard]] Route route_to_address(const std::string& next_hop, const std::string& request_uri) const;

    // forward.cpp: requests on their way out
    void forward(sip::TransactionId server, const Upstream& from, Route route, const Stripped& stripped, Now now,
                 Output& out);
    void start_branch(sip::TransactionId server, std::size_t branch, const Stripped& stripped, Now now, Output& out);
    void refuse_branch(sip::TransactionId server, std::size_t branch, int status, Now now, Output& out);
    void send_branch(sip::TransactionId server, std::size_t branch, const Stripped& stripped,
                     std::optional<std::string> body, Now now, Output& out);
    [[nodiscard]] std::string outgoing(const sip::Message& request, const sip::Flow& from, const Branch& branch,
                                       const Stripped& stripped, std::optional<std::string> body) const;
    [[nodiscard]] std::vector<std::string> record_routes(const sip::Message& request, const sip::Flow& from,
                                                         const sip::Flow& to) const;
    void branch_failed(sip::TransactionId server, std::size_t branch, int status, std::string bytes, Now now,
                       Output& out);

    // response.cpp: what comes back
    void on_event(const sip::ResponseEvent& event, Now now, Output& out);
    void on_event(const sip::TimeoutEvent& event, Now now, Output& out);
    void pass_back(sip::TransactionId server, std::size_t branch, const sip::Message& response,
                   std::optional<std::string> body, Now now, Output& out);
    void on_success(sip::TransactionId server, std::size_t branch, const sip::Message& response, Now now, Output& out);
    void pass_best(sip::TransactionId server, Now now, Output& out);
    void on_cancel(const sip::RequestEvent& event, Now now, Output& out);
    void cancel_branch(Branch& branch, Now now, Output& out);
    void finish_dialog_request(Context& context, int status, Output& out);
    void forget_finished(Instant now);

    // register.cpp
    void on_register(const sip::RequestEvent& event, const Upstream& from, Now now, Output& out);
    void apply(std::vector<sip::BindingChange> changes, Output& out) const;

    [[nodiscard]] std::string host_port(const sip::Flow& flow) const;  ///< what a neighbour on this flow is told of us

    bool draining_ = false;
    Settings settings_;
    Secrets secrets_;
    sip::TransactionLayer layer_;
    sip::Registrar registrar_;
    Media media_;
    std::unordered_map<sip::TransactionId, Context> contexts_;
    std::unordered_map<sip::TransactionId, sip::TransactionId> server_of_client_;
    Deadlines<sip::TransactionId> forget_;
};

}  // namespace natkit::edge
