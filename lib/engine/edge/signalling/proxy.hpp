#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "../registration/registrations.hpp"
#include "name_lookups.hpp"
#include "natkit/base/deadlines.hpp"
#include "natkit/sip/message/serialize.hpp"

namespace natkit::edge {

/// What requests that are sent on need of the rest. All of it outlives them.
struct ProxyParts {
    const Settings& settings;
    const Secrets& secrets;
    sip::TransactionLayer& layer;
    Media& media;
    Servers& servers;
    NextHops& next_hops;
    const sip::Registrar& registrar;
    const Neighbours& neighbours;
    Admission& admission;
    Answers& answers;
    HomeServers& home;
    Registrations& registrations;
    NameLookups& names;
    const Peers& peers;
};

/// Requests on their way out and what comes back: the response contexts of RFC 3261 section 16.7 with their branches,
/// and the description that each message carries, as an offer or as an answer.
class Proxy {
  public:
    explicit Proxy(const ProxyParts& parts) : parts_(parts) {}

    /// Sends a request to where it goes.
    void forward(JudgedRequest asked, Route route, Now now, Output& out);
    /// Sends the ACK of a 2xx on, statelessly (RFC 3261 section 16.11).
    void forward_ack(JudgedRequest ack, Target target, Now now, Output& out);
    void on_response(const sip::ResponseEvent& event, Now now, Output& out);
    void on_timeout(const sip::TimeoutEvent& event, Now now, Output& out);
    /// Whether this request is on its way.
    [[nodiscard]] bool has(sip::TransactionId server) const { return contexts_.contains(server); }
    /// Its sender wants it no more.
    void cancel(sip::TransactionId server, std::string_view reason, Now now, Output& out);
    /// Ends a call from here: BYE to both ends of each of its dialogs, CANCEL where it still rings. How many of either
    /// there were.
    [[nodiscard]] std::size_t hang_up(std::string_view call_id, std::string_view why, Now now, Output& out);
    /// The sender of a request is reached by another port than was thought.
    void change_reply_port(sip::TransactionId server, const sip::Flow& from, const sip::Flow& to, Now now, Output& out);

    void on_media_ready(Media::Ready ready, Now now, Output& out);
    /// The names that a message has waited for are known, or cannot be.
    void on_names_ready(std::uint64_t message, Now now, Output& out);
    void on_time(Now now, Output& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

  private:
    /// Messages that wait for names in their descriptions to be looked up, or for legs to be opened.
    struct WaitingRequest {  ///< an offer
        sip::TransactionId server = 0;
        std::size_t branch = 0;
    };
    struct WaitingResponse {
        sip::TransactionId server = 0;
        std::size_t branch = 0;
        SessionId session = 0;
        sip::Message response;
        std::string body;
        bool offers = false;  ///< it waits for legs as an offer; else as the answer of a fork
    };
    struct WaitingAck {
        JudgedRequest ack;
        Branch branch;
        SessionId session = 0;
    };
    using Waiting = std::variant<WaitingRequest, WaitingResponse, WaitingAck>;
    /// Whether those in a description have been looked up, as far as they could be.
    enum class Names : std::uint8_t { unknown, known };
    /// What a response means for its description.
    struct Description {
        SessionId session = 0;
        std::string body;  ///< as it came
    };

    void wait(Waiting waiting);
    [[nodiscard]] std::optional<Waiting> take_waiting(std::uint64_t message);
    [[nodiscard]] Context* find(sip::TransactionId server);
    /// The context and branch of a client transaction, or null.
    [[nodiscard]] std::pair<Context*, Branch*> of_client(sip::TransactionId client);

    // forward.cpp: requests on their way out
    void join_dialog(Context& context, const Route& route, const sip::DialogToken* token, Now now, Output& out);
    void follow_sender(Context& context, const sip::DialogToken& token, Now now, Output& out);
    [[nodiscard]] bool asks_for_relay(const Result<sip::NameAddr>& named) const;
    /// For EndInfo::uri: without parameters.
    [[nodiscard]] static std::string uri_in(const Result<sip::NameAddr>& named);
    Branch& add_branch(Context& context, Target target, Now now);
    void start_session(Context& context, Branch& branch, const Target& target, Now now);
    [[nodiscard]] std::vector<Branch*> next_branches(Context& context, Now now);
    void start_branch(Context& context, Branch& branch, Names names, Now now, Output& out);
    void send_branch(Context& context, Branch& branch, std::optional<std::string> body, Now now, Output& out);
    [[nodiscard]] bool try_next(Context& context, Branch& branch, Now now, Output& out);
    void forget_client(Branch& branch);
    void take_and_pass_ack(const JudgedRequest& ack, const Branch& branch, SessionId session, Now now, Output& out);

    // hang_up.cpp: calls that the edge itself ends
    void learn_caller(const Context& context);
    void learn_answerer(const Context& context, SessionId session, const sip::Message& response);
    void send_bye(std::string_view call_id, SessionId session, End to, std::string_view why, Now now, Output& out);

    // outgoing.cpp: what a request looks like when it leaves
    [[nodiscard]] sip::Sent outgoing(const sip::Message& request, const Upstream& from, const Branch& branch,
                                     const OwnRoutes& routes, std::optional<std::string> body, WallTime now) const;
    [[nodiscard]] std::string own_via(const sip::Flow& flow, std::string_view branch) const;
    [[nodiscard]] std::vector<std::string> record_routes(const sip::Message& request, const sip::Flow& from,
                                                         const sip::Flow& to, WallTime now) const;
    void remove_identities(sip::Edit& edit, const sip::Message& message, bool from_trusted, bool to_trusted) const;
    void remove_own_passwords(sip::Edit& edit, const sip::Message& request) const;
    void remove_own_challenges(sip::Edit& edit, const sip::Message& response) const;

    // exchange.cpp: which description is an offer and which an answer
    [[nodiscard]] std::optional<SessionId> session_of(const Context& context, Branch& branch,
                                                      const sip::Message& response, Now now);
    void adopt(Context& context, const sip::DialogToken& token, const Target& target, Now now);
    void refuse_offer(Context& context, Branch& branch, const Error& why, Now now, Output& out);
    void succeed(Context& context, SessionId session, const sip::Message& response, Now now, Output& out);
    void end_branch(Branch& branch, int status, Now now, Output& out);
    [[nodiscard]] std::optional<Answer> refusal_of(dialog::Role role) const;
    void send_answer(Context& context, Branch& branch, End from, const std::string& body, Now now, Output& out);
    void read_response(Context& context, Branch& branch, const sip::Message& response, Description description, Now now,
                       Output& out);
    void take_response(Context& context, Branch& branch, const sip::Message& response, Description description, Now now,
                       Output& out);
    [[nodiscard]] bool is_copy(Context& context, Branch& branch, const sip::Message& response,
                               const Description& description, Now now, Output& out);
    [[nodiscard]] dialog::Role role_of(const Context& context, const Branch& branch, const sip::Message& response,
                                       SessionId session) const;
    void take_late_offer(Context& context, Branch& branch, const sip::Message& response, Description description,
                         Now now, Output& out);
    void take_answer(Context& context, Branch& branch, const sip::Message& response, const Description& description,
                     Now now, Output& out);
    void give_offer(Context& context, Branch& branch, const sip::Message& response, const Description& description,
                    const Result<std::string>& after, Now now, Output& out);
    void give_back(Context& context, Branch& branch, const sip::Message& response, const Description& description,
                   const Result<std::string>& after, Now now, Output& out);
    [[nodiscard]] std::optional<std::string> take_ack(const sip::Message& ack, SessionId session, Now now, Output& out);

    // response.cpp: what comes back
    void on_success(Context& context, Branch& branch, const sip::Message& response, Now now, Output& out);
    void pass_back(Context& context, Branch& branch, const sip::Message& response, std::optional<SessionId> session,
                   std::optional<std::string> body, Now now, Output& out);
    void refuse_branch(Context& context, Branch& branch, const Answer& answer, Now now, Output& out);
    void branch_failed(Context& context, Branch& branch, int status, std::string bytes, Now now, Output& out);
    void pass_best(Context& context, Now now, Output& out);
    [[nodiscard]] bool on_registered(Context& context, Branch& branch, const sip::Message& response, Now now,
                                     Output& out);
    void cancel_branch(Branch& branch, std::string_view reason, Now now, Output& out);
    void finish_dialog_request(Context& context, int status, Now now, Output& out);
    void forget_finished(Instant now);
    void weigh(Context& context);

    ProxyParts parts_;
    std::unordered_map<sip::TransactionId, Context> contexts_;
    std::unordered_map<sip::TransactionId, sip::TransactionId> server_of_client_;
    std::unordered_map<std::uint64_t, Waiting> waiting_;  ///< by the number that names and media know them by
    std::uint64_t next_waiting_ = 1;
    Deadlines<sip::TransactionId> forget_;
    Deadlines<sip::TransactionId> no_answer_;  ///< when contacts of a lower q are asked too
};

}  // namespace natkit::edge
