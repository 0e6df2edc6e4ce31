#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "natkit/base/deadlines.hpp"
#include "natkit/base/time.hpp"
#include "natkit/proxy/rates.hpp"
#include "natkit/sip/flow.hpp"
#include "natkit/sip/message/message.hpp"

namespace natkit::sip {

using TransactionId = std::uint64_t;

/// The timers of RFC 3261 table 4, as one set so that a test can make them short.
struct TransactionTimers {
    std::chrono::milliseconds t1{500};
    std::chrono::milliseconds t2{4'000};
    std::chrono::milliseconds t4{5'000};
    std::chrono::milliseconds c{185'000};  ///< timer C: more than three minutes (section 16.6 step 11)
};

/// Who a transaction is for. What the layer has room for is filled by each only up to its mark, so that the others
/// find some left.
enum class Share : std::uint8_t {
    stranger,  ///< up to 50 %
    party,     ///< servers, and parties of a dialog: up to 70 %
    user,      ///< flows that somebody is registered by: up to 85 %
    lan,       ///< all of it
};

struct TransactionLimits {
    std::size_t most = 50'000;                   ///< server transactions, and as many client transactions
    std::size_t bytes = std::size_t{256} << 20;  ///< that transactions and what is kept with them may take

    friend bool operator==(const TransactionLimits&, const TransactionLimits&) = default;
};

/// What the layer is told of a request's sender.
struct Asker {
    Share share = Share::lan;
    /// Its address may be spoofed: own failures go there statelessly, and few copies of others.
    bool spoofable = false;
    bool proven = false;  ///< it has answered something that was sent there: as many copies as RFC 3261 says
    /// The packet came from another port than its flow names: the one that its sender listens on.
    bool elsewhere = false;
    std::size_t bytes = 0;  ///< of the request as it came; 0: not known
    bool hurries = false;   ///< it waits for a first sign for some seconds only: trying() answers every method
};

/// Whether a failure of our own may be so long: three bytes for each that came, or a small request would make a large
/// answer hit somebody else.
[[nodiscard]] inline bool may_answer(const Asker& asker, std::size_t bytes) noexcept {
    return !asker.spoofable || asker.bytes == 0 || bytes <= 3 * asker.bytes;
}

/// Bytes to put on a flow.
struct Packet {
    Flow flow;
    std::shared_ptr<const std::string> bytes;
};

/// A request as it goes out.
struct Sent {
    std::shared_ptr<const std::string> bytes;
    std::string method;
    std::string branch;        ///< of its top Via
    Share share = Share::lan;  ///< whose request it is
    bool unproven = false;     ///< who gets it may be another than who is meant: few copies
};

/// What the layer tells its user.
struct RequestEvent {  ///< a new request; answer it with respond()
    TransactionId server;
    Message message;
    Flow flow;
    Asker asker{};
};
struct AckEvent {  ///< the ACK of a 2xx: end to end, outside all transactions
    Message message;
    Flow flow;
    Asker asker{};
};
struct ResponseEvent {  ///< a response to a request of ours; an INVITE may get several 2xx
    TransactionId client;
    Message message;
};
struct TimeoutEvent {  ///< no final response (timers B, C, F), or none can come any more
    TransactionId client;
    bool unreachable = false;  ///< the flow failed (section 17.1.4)
    /// Timer C: it rings too long, and is to be cancelled. The transaction waits 64 T1 for what that leads to; only
    /// then does it end, with another TimeoutEvent if nothing has come.
    bool ringing = false;
};
using TransactionEvent = std::variant<RequestEvent, AckEvent, ResponseEvent, TimeoutEvent>;

/// What a call to the layer leads to, in order. The caller owns it and empties it.
struct TransactionOutput {
    std::vector<Packet> packets;
    std::vector<TransactionEvent> events;
};

/// The transaction layer of RFC 3261 section 17 with the corrections of RFC 6026, over any number of flows. Sans-I/O:
/// time is an argument, and everything it wants is in the output. Retransmissions are only sent over UDP flows.
/// Bounded in transactions of either kind and in bytes: what is one too many over UDP is dropped, since its sender
/// repeats it, and over a connection answered with 503.
class TransactionLayer {
  public:
    explicit TransactionLayer(const TransactionTimers& timers = {}, const TransactionLimits& limits = {})
        : timers_(timers), limits_(limits) {}

    /// A message that passed check(), as it arrived. Retransmissions are answered here. Responses that belong to no
    /// transaction of ours are dropped. Whoever handles the RequestEvent of an INVITE calls trying() then.
    void on_message(const Message& message, const Flow& flow, Instant now, TransactionOutput& out, Asker asker = {});

    /// The 100 of an INVITE that its handling has not answered (RFC 3261 section 17.2.1), and of another request where
    /// the asker hurries.
    void trying(const RequestEvent& event, Instant now, TransactionOutput& out);

    /// A failure of our own, sent once, and the transaction is over: each copy of the request is a new one, and gets
    /// the same (RFC 3261 section 8.2.7). False, and nothing is done, unless the sender is spoofable and has been sent
    /// nothing yet. One that is too long (may_answer()) is not sent at all. Its ACK comes as an AckEvent.
    [[nodiscard]] bool refuse(TransactionId server, std::string bytes, TransactionOutput& out);

    /// Sends a response in a server transaction; false when the transaction is gone. A 2xx to an INVITE may be sent
    /// several times (late 2xx of forks).
    bool respond(TransactionId server, int status, std::string bytes, Instant now, TransactionOutput& out);

    /// Other limits from now on; what is there stays.
    void set_limits(const TransactionLimits& limits) { limits_ = limits; }
    /// What the user keeps for transactions besides has grown, or shrunk, by so much: it counts for the bound in bytes.
    void count_kept(std::ptrdiff_t bytes) noexcept { besides_ += static_cast<std::size_t>(bytes); }
    /// That transactions, and what the user keeps for them, take now: an estimate.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_ + besides_; }

    /// Starts a client transaction with a request whose top Via carries a branch that only it uses (CANCEL excepted: it
    /// uses its INVITE's). Fails with `exhausted` at the limit. `patience` in place of timers B and F, as long as
    /// nothing is heard, where somebody else can be tried.
    Result<TransactionId> request(const Sent& sent, const Flow& flow, Instant now, TransactionOutput& out,
                                  std::optional<std::chrono::milliseconds> patience = std::nullopt);

    /// The INVITE has been cancelled: without a final response within 64 T1 it is over (section 9.1).
    void expect_end(TransactionId client, Instant now);

    /// The server transaction of a request that has come before.
    [[nodiscard]] std::optional<TransactionId> find(const Message& request) const;
    /// The INVITE server transaction a CANCEL is about (section 9.2).
    [[nodiscard]] std::optional<TransactionId> find_cancelled(const Message& cancel) const;

    /// A flow over TCP or TLS is over, or could not be made: client transactions on it that wait for a response fail.
    /// One to a server (connection 0) that has already answered provisionally goes on: a server answers by another
    /// connection then (section 18.2.2).
    void on_flow_failed(const Flow& flow, TransactionOutput& out);

    /// Runs the timers that are due.
    void on_time(Instant now, TransactionOutput& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return deadlines_.next(); }

    /// Whether a response is to a request of ours.
    [[nodiscard]] bool is_answer(const Message& response) const;
    /// The connections with a transaction that is not over.
    void add_connections(std::unordered_set<std::uint64_t>& connections) const;

    [[nodiscard]] std::size_t server_count() const noexcept { return server_keys_.size(); }
    [[nodiscard]] std::size_t client_count() const noexcept { return client_keys_.size(); }
    /// Client transactions have even ids, server transactions odd ones: which one an id is.
    [[nodiscard]] bool alive(TransactionId id) const { return transactions_.contains(id); }

  private:
    enum class Kind : std::uint8_t { invite_server, server, invite_client, client };
    /// `trying` stands for Calling too; `accepted` is RFC 6026's state after a 2xx to an INVITE.
    enum class State : std::uint8_t { trying, proceeding, accepted, completed, confirmed };

    struct Transaction {
        Kind kind{};
        State state = State::trying;
        Flow flow;
        std::string key;
        std::shared_ptr<const std::string> last;  ///< what a retransmission repeats, while there may be one; of
                                                  ///< an INVITE client its request, then the ACK of a failure
        std::chrono::milliseconds interval{};
        std::optional<Instant> repeat_at;
        Instant end_at{};
        bool given_up = false;  ///< invite_client: cancelled, or timer C has fired; nothing gives it more time
        bool hurries = false;   ///< client: it has less time than timer F until something is heard
        Asker asker{};          ///< of a server transaction; a client's may get few copies
        std::size_t size = 0;   ///< as counted in bytes_
    };

    void on_request(const Message& message, const Flow& flow, Instant now, TransactionOutput& out, Asker asker);
    [[nodiscard]] bool has_room(Share share, std::size_t present) const noexcept;
    [[nodiscard]] bool may_copy(const Transaction& transaction, Instant now);
    void weigh(Transaction& transaction);
    void on_ack(const Message& message, const Flow& flow, const std::string& key, const Asker& asker, Instant now,
                TransactionOutput& out);
    void on_response(const Message& message, Instant now, TransactionOutput& out);
    void on_invite_response(TransactionId id, Transaction& transaction, const Message& message, Instant now,
                            TransactionOutput& out);
    void repeat(Transaction& transaction, Instant now, TransactionOutput& out);
    void expire(TransactionId id, Transaction& transaction, Instant now, TransactionOutput& out);
    void erase(TransactionId id);
    void end_in(TransactionId id, Transaction& transaction, std::chrono::milliseconds time, Instant now);
    void repeat_in(TransactionId id, Transaction& transaction, std::chrono::milliseconds time, Instant now);
    [[nodiscard]] bool reliable(const Transaction& transaction) const noexcept {
        return transaction.flow.transport != Transport::udp;
    }

    TransactionTimers timers_;
    TransactionLimits limits_;
    std::size_t bytes_ = 0;
    std::size_t besides_ = 0;
    proxy::Buckets copies_;  ///< to sources (nat::source_of) that have proved nothing
    TransactionId next_id_ = 2;
    std::unordered_map<TransactionId, Transaction> transactions_;
    std::unordered_map<std::string_view, TransactionId> server_keys_;      ///< each of Transaction::key
    std::unordered_map<std::string_view, TransactionId> client_keys_;      ///< likewise
    std::unordered_multimap<std::string, TransactionId> clients_of_flow_;  ///< of those over connections
    Deadlines<TransactionId> deadlines_;
};

}  // namespace natkit::sip
