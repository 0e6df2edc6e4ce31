#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/base/host.hpp"
#include "natkit/config/config.hpp"
#include "natkit/engine/hep/outlet.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/engine/role/role.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/address_watch.hpp"
#include "natkit/io/random.hpp"
#include "natkit/record/relay.hpp"
#include "natkit/relay/leg_table.hpp"
#include "natkit/relay/ports.hpp"
#include "natkit/relay/tiers.hpp"
#include "natkit/relay/traffic.hpp"

/// The engine of mediarelay(1): the pure relay of natkit::relay over sockets, threads, a journal and a control socket.
namespace natkit::relay {

class FastPath;
class Journal;
class LocalPorts;
class Plane;
class SteeredPorts;
class Worker;
struct BoundPort;
struct JournalChange;
struct Standby;

using Json = nlohmann::ordered_json;

/// What mediarelay takes from the configuration.
struct Options {
    PortRange ports;
    std::vector<IpAddress> lan;  ///< bound addresses by side
    std::vector<IpAddress> wan;
    std::map<IpAddress, IpAddress> advertise;  ///< bound address → what others are told
    std::optional<std::uint8_t> tos;
    bool source_port_restriction = true;
    RangeSet dial_for;  ///< TCP: where parties are connected to though their signalling comes from elsewhere
    Timeouts timeouts;
    nat::Networks networks;
    std::vector<HostAddress> host;  ///< what must not be relayed to
    unsigned workers = 1;
    TierChoice tiers{.fast_path = FastPathChoice::off};
    config::Hep hep;      ///< the collector that is told of streams
    std::string journal;  ///< path; empty: none
    std::optional<cluster::Standing>
        standing;  ///< of a node of a cluster at its start; nothing: it is alone, and active
    LogLevel log_level = LogLevel::major;
};

/// The broadcast address of a directly connected IPv4 network; nothing where there is none.
[[nodiscard]] std::optional<IpAddress> broadcast_of(const HostAddress& address) noexcept;

struct OpenRequest {
    Stream stream = Stream::rtp;
    Side side = Side::wan;
    Family family = Family::ipv4;
    bool mux = false;
    unsigned connections = 1;         ///< TCP: how many at once, up to max_connections
    std::optional<std::uint8_t> tos;  ///< UDP: of what it sends, instead of Options::tos
    std::optional<Party> party;
    std::string call_id;
    std::string owner;
    std::string owner_state;  ///< JSON text, at most max_owner_state bytes
    std::string request;      ///< asked again after a restart, the same id gives the same leg
};
inline constexpr std::size_t max_owner_state = 8192;

struct UpdateRequest {
    std::optional<Party> party;
    /// TCP: the next connection takes the place of one that is open (connection:new). UDP: what was learned of the
    /// party is looked at anew; its present source stays good until then.
    bool renew = false;
    std::optional<bool> hold;
    std::optional<bool> mux;
    std::optional<std::uint8_t> tos;  ///< UDP: of what it sends from now on
    std::optional<std::string> owner_state;
    std::optional<std::string> owner_state_before;  ///< refused unless this is what the leg carries; empty: nothing
};

/// Legs and joins as their owners see them: ids, ports, states, the journal. Runs on the control thread; packets are
/// the workers'. Everything that happens comes out as records (natkit-records(7)) and log lines.
class Engine {
  public:
    using OnRecord = std::function<void(const Json& record)>;

    /// Takes up the legs of the journal. Problems with single legs are logged, and end those alone.
    [[nodiscard]] static Result<std::unique_ptr<Engine>> start(io::Loop& loop, Options options, OnRecord on_record);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Errors leave everything as it was: bad_input, refused (a party that may not be relayed to), exhausted (ports,
    /// descriptors), not_found (no such leg or address), usage (a leg in the wrong state).
    [[nodiscard]] Result<const record::LegRecord*> reserve(const OpenRequest& request);
    [[nodiscard]] Result<const record::LegRecord*> open(const OpenRequest& request);
    [[nodiscard]] Result<const record::LegRecord*> open_reserved(const std::string& leg);
    [[nodiscard]] Result<const record::LegRecord*> update(const std::string& leg, const UpdateRequest& request);
    /// Opens what is reserved or parted first. A leg joined to another is taken from it.
    [[nodiscard]] Result<void> join(const std::string& a, const std::string& b);
    /// Parts both legs of the join, and closes the sockets of this one.
    [[nodiscard]] Result<void> part(const std::string& leg);
    /// Whether a packet thread is woken for a change.
    enum class Wake : std::uint8_t {
        at_once,
        later,  ///< it learns of the change with the next one that wakes it, or 10 ms later
    };
    /// Its sockets may close later: its ports cool down for longer.
    [[nodiscard]] Result<void> free(const std::string& leg, const char* why = "freed", Wake wake = Wake::at_once);
    std::size_t free_call(const std::string& call_id);

    /// Changes that belong together: while a Batch lives, they are neither journalled nor handed to the workers. When
    /// the last Batch ends, they are written to the journal in one piece, and each worker is woken at most once. A
    /// request is answered after that.
    class Batch {
      public:
        explicit Batch(Engine& engine) noexcept : engine_(engine) { ++engine_.batches_; }
        ~Batch() {
            if (--engine_.batches_ == 0) engine_.commit();
        }
        Batch(const Batch&) = delete;
        Batch& operator=(const Batch&) = delete;

      private:
        Engine& engine_;
    };

    /// An owner came back: its legs, of which those that it does not name in keep() within 30 s are closed.
    std::size_t claim(const std::string& owner);
    void keep(const std::string& leg);

    [[nodiscard]] const record::LegRecord* find(const std::string& leg) const;
    [[nodiscard]] const record::LegRecord* find_request(const std::string& request) const;
    struct Listed {
        std::uint64_t order = 0;  ///< grows with each new leg: a cursor
        const record::LegRecord* leg = nullptr;
    };
    [[nodiscard]] std::vector<Listed> legs() const;  ///< oldest first
    /// Those of one call, oldest first, without a look at the others.
    [[nodiscard]] std::vector<Listed> legs_of(const std::string& call_id) const;

    // Of a node of a cluster, whose addresses may come later or go.

    /// Whether another node serves: nothing is sent or told, and no leg ends by itself. The legs are the other node's.
    [[nodiscard]] bool standby() const noexcept { return standby_ != nullptr; }
    /// This node serves from now on, with all the legs that it holds. Returns when the packet threads have them.
    void activate();
    /// It does so no longer: nothing of it stays in the kernel, nothing is sent. For the end of the process.
    void fall_silent();
    /// Of a standby: the leg is as the active node has written it, whatever was known of it. `ahead`: how far that
    /// node's time of day is ahead of ours. Errors: bad_input, refused (not a media port of ours, or somebody else's);
    /// what was known of the leg then stays, unless its ports have changed.
    [[nodiscard]] Result<void> put_replica(const std::string& leg, const record::ObjectView& record, Duration ahead);
    /// The active node has it no more.
    void drop_replica(const std::string& leg);
    /// All legs of the active node follow; those that were not put until the end are dropped. usage: it has not begun.
    void begin_whole();
    [[nodiscard]] Result<void> end_whole();
    /// `tell` is called, while `wanted`, for each leg that has changed (its text as journalled) or is gone (null), when
    /// it is journalled or would be.
    using OnSaved = std::function<void(const std::string& leg, const std::string* text)>;
    void on_saved(std::function<bool()> wanted, OnSaved tell) {
        saved_wanted_ = std::move(wanted);
        on_saved_ = std::move(tell);
    }

    using OnStatistics = std::function<void(record::StatisticsByLeg statistics)>;
    /// Counters of a leg and what it is joined to, or of all legs (empty id), gathered from the workers without
    /// waiting.
    void collect(const std::string& leg, OnStatistics on_statistics);

    /// New ports, addresses, workers and tiers hold after the next start; the rest from now on.
    void reconfigure(const Options& options);
    void set_log_level(LogLevel level) { log_.set_level(level); }
    /// Nothing of the engine stays in the kernel: its calls end with the process, which a crash does not do to them.
    void leave_kernel();

    struct Status {
        std::size_t legs = 0;
        std::size_t sessions = 0;  ///< joins
        std::size_t ports_in_use = 0;
        std::size_t ports_cooling = 0;
        std::size_t workers = 0;
        std::size_t journal_bytes = 0;
        std::string journal_error;   ///< why calls would not survive a restart; empty: they would
        std::string fast_path;       ///< why streams are not forwarded by the kernel; empty: they are
        std::size_t fast_flows = 0;  ///< directions of streams that are
        std::array<std::uint32_t, not_forwarded_count> not_forwarded{};  ///< joined legs of UDP that are not, by why
        bool steered = false;                                            ///< how packets are received; else by sockets
        std::size_t steered_ports = 0;
        std::string steering_error;  ///< why not, though it was wanted
        Traffic traffic;             ///< since the start, of legs that are gone too; as of their last second
        std::uint64_t packets_a_second = 0;
    };
    [[nodiscard]] Status status() const;
    [[nodiscard]] const Options& options() const noexcept { return options_; }

    /// The record of a join, as told when it changes.
    [[nodiscard]] static Json session_record(const record::LegRecord& a, const record::LegRecord& b);

    /// What the collector of HEP is sent by.
    [[nodiscard]] const hep::Outlet& outlet() const noexcept { return outlet_; }

    /// Called for each leg of that owner that is freed, whoever frees it.
    void on_freed(const std::string& owner, std::function<void(const std::string& leg)> callback) {
        freed_[owner] = std::move(callback);
    }
    /// Whether records of a type are worth making; without it all are.
    void set_wanted(std::function<bool(std::string_view type)> wanted) { wanted_ = std::move(wanted); }

  private:
    using BoundPorts = std::array<BoundPort, 2>;
    struct Entry {
        record::LegRecord leg;
        std::uint64_t order = 0;
        unsigned worker = 0;
        bool in_plane = false;
        bool unsaved = false;    ///< waits for commit()
        Instant silent_until{};  ///< its join was told to be silent for too long, and will be told again before that
        bool connected = false;  ///< TCP: a connection was logged since signalling last spoke
    };
    using Legs = std::unordered_map<LegKey, Entry>;

    Engine(io::Loop& loop, Options options, OnRecord on_record);
    /// Has the media ports steered where that is wanted and works; says why not.
    void start_steering();
    [[nodiscard]] Result<Entry*> get(const std::string& leg);
    [[nodiscard]] Result<void> check(const OpenRequest& request) const;
    Entry& add(const OpenRequest& request, const Endpoint& local, record::LegState state);
    /// The thread for a new leg. TCP legs have one of their own, so that bulk does not delay audio.
    [[nodiscard]] unsigned choose_worker(const record::LegRecord& leg);
    void add_worker();
    void tell_workers(const std::optional<hep::Destination>& collector);
    /// Gives the ports of a leg to its worker, which adds the leg when it is new.
    void hand_over(Entry& entry, BoundPorts ports);
    [[nodiscard]] bool opens_latch(const record::LegRecord& leg, const Party& party) const;
    /// Tells its worker of the leg's party.
    void signal(Entry& entry, bool renew = false, Wake wake = Wake::at_once);
    [[nodiscard]] Result<void> open_sockets(Entry& entry);
    /// Legs that are joined are of one worker: `b` moves to that of `a`.
    void move_to_worker_of(Entry& a, Entry& b);
    void unjoin(Entry& entry, Wake wake = Wake::at_once);
    void restore(const std::vector<std::string>& records);
    [[nodiscard]] Result<void> restore_leg(record::LegRecord leg, Duration patience);
    /// Sets the ports of a leg aside and binds them, where its state needs them. `patience`: for the process before,
    /// which may still be on its way out.
    [[nodiscard]] Result<BoundPorts> admit(const record::LegRecord& leg, Duration patience);
    /// The packet threads get the leg, with what it had learned.
    void take_up(Entry& entry, BoundPorts ports, Duration handover);
    /// Or the standby.
    void hold(LegKey key, BoundPorts ports);
    /// Those whose legs name each other.
    void take_up_joins();
    [[nodiscard]] std::size_t named_joins() const;
    void forget(LegKey key);
    [[nodiscard]] std::string holder_of(const record::LegRecord& leg) const;
    void look_at_addresses();
    void use_addresses();
    [[nodiscard]] bool keeps_changes() const { return journal_ != nullptr || tells_changes(); }
    [[nodiscard]] bool tells_changes() const { return saved_wanted_ && standby_ == nullptr && saved_wanted_(); }
    void on_events(const std::vector<Event>& events);
    void on_latched(const Event& event);
    void on_confirmed(const Event& event);
    void on_proven(const Event& event);
    void on_refused(const Event& event);
    void on_audio(const Event& event);
    void on_timed_out(const Event& event);
    void on_connection(const Event& event);
    void on_connection_refused(const Entry& entry, const Event& event);
    [[nodiscard]] bool call_goes_on(const Entry& entry) const;
    void publish_leg(const Entry& entry, const char* event);
    [[nodiscard]] bool wanted(std::string_view type) const { return !wanted_ || wanted_(type); }
    void publish_session(const record::LegRecord& a, const record::LegRecord& b, const char* event);
    /// Journals the legs as they are at the end of the Batch.
    void save(std::initializer_list<Entry*> entries);
    /// Of a leg that is about to be forgotten, in the same Batch.
    void save_freed(LegKey key);
    /// The same with whatever is written next, or a second later: for what would be found out again.
    void save_later(Entry& entry);
    void commit();
    void write_unsaved();
    /// Runs on the worker's thread after the end of the Batch.
    void post(unsigned worker, std::function<void(Plane&)> task, Wake wake = Wake::at_once);
    void journal(const std::vector<JournalChange>& changes);
    [[nodiscard]] Result<void> open_journal();
    /// After what the process before has left was taken up.
    void start_fast_path();
    void on_journal_state(const std::optional<Error>& error);
    /// While nothing can be journalled: tries again, with all that is alive.
    void retry_journal();
    void close_unclaimed();
    [[nodiscard]] Surroundings surroundings() const;
    [[nodiscard]] LegKey new_key();

    io::Loop& loop_;
    Options options_;
    Surroundings surroundings_;
    OnRecord on_record_;
    std::function<bool(std::string_view)> wanted_;
    std::function<bool()> saved_wanted_;
    OnSaved on_saved_;
    log::Logger log_;
    std::unique_ptr<LocalPorts> ports_;
    std::unique_ptr<Standby> standby_;             ///< null: this node is the active one
    std::unique_ptr<io::AddressWatch> addresses_;  ///< of a node of a cluster
    std::unique_ptr<FastPath> fast_path_;          ///< the workers' too: ends after them
    io::Random random_;                            ///< of ids
    Legs legs_;
    std::unordered_multimap<std::string, LegKey> by_call_;
    std::uint64_t last_order_ = 0;
    std::size_t joins_ = 0;
    std::unordered_map<std::string, LegKey> restored_requests_;
    struct Claim {
        Instant deadline;
        std::set<LegKey> open;  ///< not claimed yet
    };
    std::map<std::string, Claim> claims_;
    std::map<std::string, std::function<void(const std::string&)>> freed_;  ///< by owner
    std::unique_ptr<Journal> journal_;
    std::string journal_error_;
    std::vector<LegKey> unsaved_;  ///< changed or freed since the last commit()
    unsigned batches_ = 0;         ///< how many live
    io::Timer claim_timer_;
    io::Timer flush_timer_;  ///< until the workers learn of what they were not woken for
    io::Timer save_timer_;   ///< until what save_later() was given is journalled
    io::Timer retry_timer_;  ///< until retry_journal()
    hep::Outlet outlet_;
    std::shared_ptr<bool> alive_;  ///< false once destroyed: for tasks on their way from the workers
    unsigned udp_workers_;
    std::unique_ptr<SteeredPorts> steered_;         ///< null: a socket a port
    std::string steering_error_;                    ///< why it is null, where it was wanted
    std::vector<std::unique_ptr<Worker>> workers_;  ///< those of UDP; behind them that of TCP, once it is needed
};

}  // namespace natkit::relay
