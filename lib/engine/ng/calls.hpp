#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/base/deadlines.hpp"
#include "natkit/dialog/call.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/engine/ng/service.hpp"
#include "natkit/engine/relay/engine.hpp"
#include "natkit/ng/branch.hpp"
#include "natkit/ng/request.hpp"
#include "natkit/ng/value.hpp"
#include "natkit/sdp/rewrite.hpp"
#include "natkit/sdp/shown_session.hpp"
#include "party.hpp"
#include "waiting.hpp"

/// The calls of proxies that speak ng: offers and answers by the dialog core, their streams as legs of the relay.
namespace natkit::ng {

using dialog::End;
using dialog::index;
using dialog::other;

inline constexpr std::size_t most_streams = 64;   ///< of a description
inline constexpr std::size_t most_branches = 64;  ///< of a call
inline constexpr std::size_t most_answerers = 16;
/// After an answer others may follow: of a fork, or the final one after a preview.
inline constexpr std::chrono::seconds answering_time{32};

/// The two legs of a stream, each facing one end.
struct Pair {
    std::array<std::string, 2> legs;
    std::array<std::optional<relay::Party>, 2> parties;  ///< that they face, as their last descriptions have it
    /// Where an end's description named a leg of ours instead of an endpoint of its own: the call comes through again.
    std::array<std::optional<Endpoint>, 2> named;
    std::array<bool, 2> mux{};  ///< whether the end was offered, or has agreed, to mux
    std::string media;          ///< that of m=: "audio", "video", …
    std::string codec;          ///< that the last answer began with
};

/// What an open offer says of a stream; it takes effect with the answer.
struct Offered {
    std::optional<relay::Party> party;
    std::optional<Endpoint> named;
    bool mux = false;
    std::string protocol;  ///< that of its m= line, where another one is shown
};

/// Who has answered, with what its last answer said: of several the last one counts, and when that is gone the one
/// before it.
struct Answerer {
    std::string tag;
    std::vector<std::optional<relay::Party>> parties;  ///< by stream
};

/// One offer and its answers, and the dialog that comes of them.
struct Branch {
    BranchNames names;
    dialog::Call call;
    std::map<std::uint64_t, Pair> pairs;  ///< by Stream::legs
    std::vector<Offered> offered;         ///< by stream
    std::vector<Answerer> answerers;
    std::array<std::optional<IpAddress>, 2> sources;  ///< of the ends' messages
    std::array<Side, 2> sides{Side::wan, Side::wan};  ///< where each end is reached
    std::array<std::string, 2> labels;
    std::array<std::optional<sdp::ShownSession>, 2> shown;  ///< what each end knows of the other's o= and s=
    Wishes wishes;                                          ///< of the last offer
    std::optional<Instant> ends_at;  ///< by itself: nobody has answered, or it was deleted with a delay
    bool deleted = false;
    std::int64_t answered_ms = 0;       ///< when it was answered first, in milliseconds since 1970; 0: not yet
    std::optional<Instant> closes_at;   ///< its open exchange
    std::string keeper;                 ///< the leg that its state is kept with
    std::vector<std::string> carriers;  ///< legs that its state is divided among, where it is larger than one carries
};

struct Call {
    std::string call_id;
    std::int64_t created = 0;  ///< seconds since 1970
    std::int64_t last_signal = 0;
    std::vector<std::unique_ptr<Branch>> branches;
};

/// The time of day, in milliseconds since 1970.
[[nodiscard]] inline std::int64_t now_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// What the configuration says.
struct Settings {
    Interfaces interfaces;
    std::chrono::seconds delete_delay{0};
    std::size_t most_calls = 0;  ///< 0: as many as there are ports
    LogLevel log_level = LogLevel::major;
};

class Calls {
  public:
    using Respond = std::function<void(Dictionary reply)>;

    Calls(io::Loop& loop, relay::Engine& engine, Settings settings);
    Calls(const Calls&) = delete;
    Calls& operator=(const Calls&) = delete;
    ~Calls() = default;

    /// Does what the request asks for and answers it, once, a little later: what comes in one round of the loop is done
    /// together, as to journal and to wake a packet thread costs more than most requests. A refused request changes
    /// nothing.
    void handle(Request request, Respond respond);

    /// Calls that are kept with legs of the relay, and begun elsewhere.
    void take_up() {
        restore();
        plan();
    }
    /// What a proxy is told that asks a standby.
    [[nodiscard]] static Dictionary refused_by_standby(const Request& request);
    void reconfigure(Settings settings) {
        settings_ = std::move(settings);
        log_.set_level(settings_.log_level);
    }
    /// No call begins any more.
    void drain() noexcept { draining_ = true; }
    /// While the node has more to do than it can, no call begins either.
    void set_overloaded(bool overloaded) noexcept { overloaded_ = overloaded; }
    /// The relay has freed a leg by itself.
    void on_leg_lost(const std::string& leg);
    /// `wanted`: whether anybody wants to know at present; the records are not made otherwise.
    void on_ended(OnEnded tell, std::function<bool()> wanted) {
        on_ended_ = std::move(tell);
        wanted_ = std::move(wanted);
    }
    /// A `call` record for each.
    [[nodiscard]] relay::Json records(const std::string& after) const;

  private:
    using Reply = Result<Dictionary>;
    struct Asked {
        Request request;
        Respond respond;
    };
    /// A branch and the end that a description is of.
    struct Speaker {
        Call* call = nullptr;
        Branch* branch = nullptr;
        End end{};
    };
    struct LegPlace {
        std::string call_id;
        Branch* branch = nullptr;
        std::uint64_t pair = 0;
        End facing{};
    };
    using Targets = std::vector<std::optional<sdp::MediaTarget>>;

    // calls.cpp
    void do_asked();
    [[nodiscard]] std::optional<Dictionary> do_now(const Request& request, const Respond& respond);
    [[nodiscard]] Call* find(const std::string& call_id);
    [[nodiscard]] static std::vector<BranchNames> names_of(const Call& call);
    void drop(Call& call, Branch& branch, const char* why);
    void look_again(const std::string& call_id, Instant when);
    void plan();
    void on_time();
    void end_if_empty(const std::string& call_id);

    // exchange.cpp
    [[nodiscard]] Reply offer(const Request& request);
    [[nodiscard]] Reply answer(const Request& request);
    [[nodiscard]] Result<Dictionary> load_limit(const Request& request) const;
    [[nodiscard]] bool refuses_new() const;
    [[nodiscard]] Speaker begin(const Request& request);
    [[nodiscard]] std::optional<Speaker> choose(const std::vector<Spoken>& candidates, Call& call,
                                                const sdp::Document& sdp) const;
    [[nodiscard]] Result<void> take_offer(const Speaker& speaker, const Request& request, const sdp::Document& sdp);
    [[nodiscard]] Result<void> offer_stream(const Speaker& speaker, const Request& request, const sdp::Document& sdp,
                                            std::size_t line);
    void announce(const Speaker& speaker, std::size_t line, const relay::Party& party);
    [[nodiscard]] Result<void> take_answer(const Speaker& speaker, const Request& request, const sdp::Document& sdp);
    [[nodiscard]] Result<void> answer_stream(const Speaker& speaker, const Request& request, const sdp::Document& sdp,
                                             std::size_t line, std::size_t carrier);
    void note_answerer(const Speaker& speaker, const Request& request);

    // legs.cpp
    [[nodiscard]] Result<std::uint64_t> open_pair(const Speaker& speaker, const dialog::Described& said,
                                                  const Described& from, bool shown_mux, const Offered& offered,
                                                  std::optional<Family> family);
    [[nodiscard]] Result<std::string> open_leg(const Speaker& speaker, relay::OpenRequest request, End facing);
    [[nodiscard]] Result<void> face(Branch& branch, Pair& pair, End end, const dialog::Stream& stream);
    [[nodiscard]] Result<void> connect(const Pair& pair);
    [[nodiscard]] std::string leg_behind(const Pair& pair, End end, unsigned depth = 0) const;
    [[nodiscard]] const LegPlace* own_leg(const std::optional<Endpoint>& named) const;
    [[nodiscard]] bool may_name(const LegPlace& place, const Speaker& speaker, const Request& request) const;
    void carry_out(Branch& branch, const dialog::LegChanges& changes);
    void free_pair(Branch& branch, std::uint64_t number);
    void close_exchange(Branch& branch);

    // description.cpp
    [[nodiscard]] Result<std::string> rewritten(const Speaker& speaker, const Request& request,
                                                const sdp::Document& sdp, bool offers);
    [[nodiscard]] Result<sdp::MediaTarget> target(const Branch& branch, End viewer, const Request& request,
                                                  const sdp::Media& media, std::size_t line, bool offers) const;

    // removal.cpp
    [[nodiscard]] std::optional<Dictionary> remove(const Request& request, const Respond& respond);
    void remove_answerer(Branch& branch, const std::string& tag);

    // records.cpp
    [[nodiscard]] relay::Json record_of(const std::string& call_id, const Branch& branch) const;
    void tell_ended(const Call& call, const Branch& branch, const char* why);

    // told.cpp
    [[nodiscard]] std::optional<Dictionary> query(const Request& request, const Respond& respond);
    void tell(const Call& call, Dictionary reply, const Respond& respond);
    [[nodiscard]] Dictionary list(const Request& request) const;
    [[nodiscard]] Dictionary statistics() const;

    // state.cpp
    void keep(Call& call, Branch& branch);
    void restore();
    void restore_branch(const std::string& text, const std::vector<std::string>& carriers);
    void restore_stream(const relay::Json& kept, const std::string& call_id, Branch& branch, dialog::Stream& stream);
    void index_legs(const std::string& call_id, Branch& branch, std::uint64_t number);

    io::Loop& loop_;
    relay::Engine& engine_;
    Settings settings_;
    log::Logger log_;
    std::unordered_map<std::string, Call> calls_;
    std::unordered_map<Endpoint, LegPlace, EndpointHash> by_local_;  ///< by what its end was told of it
    std::unordered_map<std::string, Endpoint> local_of_;             ///< by leg
    Deadlines<std::string> deadlines_;                               ///< Call-IDs, for half a minute at most
    OnEnded on_ended_;
    std::function<bool()> wanted_;
    std::vector<Asked> asked_;  ///< in this round of the loop
    io::Timer round_;
    io::Timer timer_;
    std::uint64_t last_number_ = 0;
    bool draining_ = false;
    bool overloaded_ = false;
    Instant started_;
    std::uint64_t total_calls_ = 0;
};

}  // namespace natkit::ng
