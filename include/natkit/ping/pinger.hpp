#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/transport.hpp"
#include "natkit/nat/classify.hpp"
#include "natkit/ping/schedule.hpp"

namespace natkit::ping {

using natkit::Transport;
enum class Method : std::uint8_t {
    crlf,     ///< CRLFCRLF (RFC 5626 section 3.5.1): no phone answers it with an error
    options,  ///< an OPTIONS request, for NATs that refresh a binding on outbound traffic only
};

/// A client whose NAT binding is kept open.
struct Client {
    ClientId id;
    std::string aor;  ///< "sip:bob@example.com"; for people
    Transport transport{};
    Endpoint local;                ///< the SIP socket it registered to
    Endpoint remote;               ///< where it is seen
    std::uint64_t connection = 0;  ///< over TCP and TLS: which one, as its owner numbers them
    nat::Place place = nat::Place::far_end;
    bool reached = true;             ///< false: nobody has shown yet that it receives what is sent to it
    bool taken = false;              ///< from another node, which has pinged it until now: it is pinged at once
    std::optional<Instant> expires;  ///< not pinged from then on
};

struct Options {
    std::optional<Duration> udp_interval;  ///< absent: UDP clients are not pinged
    std::optional<Duration> tcp_interval;
    Method method = Method::crlf;
    std::size_t clients_limit = 10'000;
};

/// What the pinger wants done, or told.
struct Event {
    enum class Kind : std::uint8_t {
        send,        ///< send `text` from the socket `client.local` to `client.remote`; report by on_sent()
        connection,  ///< send CRLFCRLF on the client's connection: its owner does
        answered,    ///< the first answer of a client
        refused,     ///< not pinged: the limit is reached
        silent,      ///< its answers do not come any more: confirm_silence() or ignore_silence() says what that means
        dead,        ///< not pinged any more; `text` says why
        expired,     ///< not pinged any more: its registration is over
    };
    Kind kind{};
    Client client;
    std::string text;
};

struct Counters {
    std::uint64_t sent = 0;
    std::uint64_t later = 0;      ///< the socket was busy, or this host cannot send at present; tried again
    std::uint64_t failed = 0;     ///< the system refused this destination
    std::uint64_t answers = 0;    ///< answers to OPTIONS
    std::uint64_t strangers = 0;  ///< answers that belong to no ping of ours
    std::uint64_t dead = 0;
    std::uint64_t refused = 0;
};

enum class SendOutcome : std::uint8_t {
    sent,
    later,   ///< the socket is busy
    unable,  ///< this host cannot send at present (a link that is down, no route, a firewall): says nothing of the
             ///< client
    failed,  ///< this client cannot be reached
};

/// Who is pinged, how and when; who is dead (design: a transport error, or OPTIONS unanswered by a client that answered
/// before; never a missing CRLF pong). Sans-I/O: events in, events out.
class Pinger {
  public:
    /// `secret` makes the branches unguessable: 64 random bits of this process. `missed_since`: when the program before
    /// this one stopped; a client added before the first end_snapshot() whose moment was missed is pinged at once.
    Pinger(Options options, std::uint64_t secret, std::optional<Instant> missed_since = std::nullopt);

    /// A client is new, or has a new flow. Clients elsewhere than at the far end are left out, and so are those that
    /// have not shown that they receive what is sent to them: anybody could have pings sent to others otherwise.
    [[nodiscard]] std::vector<Event> on_client(Client client, Instant now);
    void on_removed(const ClientId& id, Instant now);
    /// All clients that are not named again by on_client() until end_snapshot() are gone.
    void begin_snapshot();
    void end_snapshot(Instant now);
    /// Clients that come before then are pinged at once if they were due since `missed_since`, as otherwise those of
    /// the first snapshot are only: another node has pinged them until now, and they come when its successor knows
    /// them.
    void make_up_until(Instant then) { make_up_until_ = then; }

    [[nodiscard]] std::vector<Event> on_time(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return schedule_.next_deadline(); }

    [[nodiscard]] Instant served_until(Instant now) const { return schedule_.served_until(now); }

    /// What became of a `send`. `reason` is for people.
    [[nodiscard]] std::vector<Event> on_sent(const ClientId& id, SendOutcome outcome, std::string_view reason,
                                             Instant now);
    /// Whether answers can reach us at all: while whoever receives them is away, a missing one is nobody's silence.
    /// All silence until then is forgotten when they come again.
    void set_answers_arrive(bool arrive);
    /// About a `silent` client: whoever receives the answers has looked, and there is none. It is dead then, unless it
    /// has answered meanwhile.
    [[nodiscard]] std::vector<Event> confirm_silence(const ClientId& id, Instant now);
    /// The opposite: nobody received answers, so its silence means nothing.
    void ignore_silence(const ClientId& id);

    /// An answer to an OPTIONS whose topmost Via has this branch. Strangers' answers do nothing.
    [[nodiscard]] std::vector<Event> on_answer(std::string_view branch, const Endpoint& source);

    /// New intervals, method or limit take effect at once.
    [[nodiscard]] std::vector<Event> reload(const Options& options, Instant now);

    [[nodiscard]] const Options& options() const noexcept { return options_; }
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::size_t clients() const noexcept { return states_.size(); }
    [[nodiscard]] std::size_t pinged() const noexcept { return schedule_.size(); }
    [[nodiscard]] const Client* find(const ClientId& id) const;

    /// The start of every branch of a ping.
    static constexpr std::string_view branch_prefix = "z9hG4bK-natkit-ping-";

  private:
    struct State {
        Client client;
        std::uint64_t round = 0;  ///< numbers the OPTIONS of this client
        std::uint32_t epoch = 0;
        std::uint64_t waiting = 0;    ///< its place in waiting_; 0: none
        std::uint8_t busy = 0;        ///< sends in a row that the socket had no room for
        std::uint8_t failures = 0;    ///< sends in a row that the system refused
        std::uint8_t unanswered = 0;  ///< OPTIONS in a row
        bool answered_before = false;
        bool retry = false;  ///< the schedule's next moment is a retry, not the grid's
    };

    [[nodiscard]] std::optional<Duration> interval_of(const Client& client) const;
    void admit(State& state, Instant now, std::vector<Event>& events);
    void admit_waiting(Instant now, std::vector<Event>& events);
    void forget(const ClientId& id);
    void ping(State& state, Instant now, std::vector<Event>& events);
    void declare_dead(const ClientId& id, std::string reason, std::vector<Event>& events);
    void refuse(State& state, std::vector<Event>& events);
    void index_answers();
    [[nodiscard]] Duration retry_after(const State& state) const;
    [[nodiscard]] std::string branch_of(const State& state) const;
    [[nodiscard]] std::string options_request(const State& state) const;

    Options options_;
    std::uint64_t secret_;
    std::optional<Instant> missed_since_;
    std::optional<Instant> make_up_until_;
    Schedule schedule_;
    std::unordered_map<ClientId, State> states_;           ///< bounded: the limit and max_waiting
    std::unordered_map<std::uint64_t, ClientId> by_hash_;  ///< for answers; filled while the method is OPTIONS
    std::map<std::uint64_t, ClientId> waiting_;            ///< refused, in the order they came
    std::uint64_t last_waiting_ = 0;
    std::uint32_t epoch_ = 0;
    bool answers_arrive_ = true;
    Counters counters_;
};

[[nodiscard]] const char* to_string(Method method) noexcept;  ///< "crlf", "options"

}  // namespace natkit::ping
