#include "natkit/engine/relay/engine.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "journal.hpp"
#include "local_ports.hpp"
#include "natkit/base/text.hpp"
#include "plane/fast_path.hpp"
#include "standby.hpp"
#include "worker.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration claim_time = 30s;
/// A leg that was just opened hears nobody but early packets, which wait in its sockets until then.
constexpr Duration flush_delay = 10ms;

}  // namespace

std::optional<IpAddress> broadcast_of(const HostAddress& address) noexcept {
    if (!address.address.is_v4() || address.prefix >= 31) return std::nullopt;
    std::uint32_t value = 0;
    for (const std::uint8_t byte : address.address.bytes()) value = value << 8 | byte;
    return IpAddress::v4(value | (0xffffffffU >> address.prefix));
}

LegKey Engine::new_key() {
    for (;;) {
        const LegKey key = (LegKey{random_()} << 32 | random_()) & 0xffffffffffULL;
        if (key != 0 && !legs_.contains(key)) return key;
    }
}

Engine::Engine(io::Loop& loop, Options options, OnRecord on_record)
    : loop_(loop),
      options_(std::move(options)),
      surroundings_(surroundings()),
      on_record_(std::move(on_record)),
      log_("MEDIAPROXY", options_.log_level),
      ports_(std::make_unique<LocalPorts>(options_.ports,
                                          options_.standing ? io::Presence::awaited : io::Presence::needed)),
      standby_(options_.standing && options_.standing->role == cluster::Role::standby ? std::make_unique<Standby>()
                                                                                      : nullptr),
      claim_timer_(loop, [this] { close_unclaimed(); }),
      flush_timer_(loop,
                   [this] {
                       for (const auto& worker : workers_) worker->flush();
                   }),
      save_timer_(loop, [this] { write_unsaved(); }),
      retry_timer_(loop, [this] { retry_journal(); }),
      outlet_(loop, [this](const auto& destination) { tell_workers(destination); }),
      alive_(std::make_shared<bool>(true)),
      udp_workers_(std::max(1U, options_.workers)) {
    ports_->set_addresses(options_.lan, options_.wan, options_.host);
    ports_->set_tos(options_.tos);
    start_steering();
    if (standby_ && steered_) steered_->set_deaf(true);
    for (unsigned i = 0; i < udp_workers_; ++i) add_worker();
    outlet_.configure(options_.hep);
}

/// Those of UDP: the others have nothing to tell.
void Engine::tell_workers(const std::optional<hep::Destination>& collector) {
    for (unsigned i = 0; i < udp_workers_; ++i) {
        post(i, [counters = outlet_.counters(), collector](Plane& plane) { plane.set_collector(counters, collector); });
    }
}

void Engine::start_steering() {
    if (options_.tiers.receive == ReceiveChoice::sockets) return;
    auto steered = SteeredPorts::start(options_.ports, udp_workers_);
    if (steered) {
        steered_ = std::move(*steered);
        ports_->steer_by(*steered_);
        return log_.major("media ports are steered (receive)");
    }
    steering_error_ = to_string(steered.error());
    const std::string text = "each media port has a socket (receive), as ports cannot be steered: " + steering_error_;
    if (options_.tiers.receive == ReceiveChoice::steered) {
        log_.failures(text);
    } else {
        log_.major(text);
    }
}

void Engine::add_worker() {
    const auto number = static_cast<unsigned>(workers_.size());
    SteeredPorts* steered = number < udp_workers_ ? steered_.get() : nullptr;
    // Called on the worker's thread: `this` is used on ours only, and only while the engine lives.
    const auto on_events_there = [this, alive = alive_](std::vector<Event> events) {
        (void)loop_.post([this, alive, told = std::move(events)] {
            if (*alive) on_events(told);
        });
    };
    workers_.push_back(std::make_unique<Worker>(options_.timeouts, on_events_there, steered, number));
    const LanGuard guard(options_.networks.lan, options_.host);
    post(
        number,
        [ranges = options_.dial_for, guard](Plane& plane) {
            plane.set_dial_for(ranges);
            plane.set_guard(guard);
        },
        Wake::later);
}

void Engine::post(unsigned worker, std::function<void(Plane&)> task, Wake wake) {
    const Batch one(*this);
    if (wake == Wake::at_once) {
        workers_[worker]->post(std::move(task));
    } else {
        workers_[worker]->post_later(std::move(task));
    }
}

void Engine::commit() {
    write_unsaved();
    bool late = false;
    for (const auto& worker : workers_) {
        if (worker->urgent()) worker->flush();
        late = late || worker->waiting();
    }
    if (late && !flush_timer_.active()) flush_timer_.start_in(flush_delay);
}

unsigned Engine::choose_worker(const record::LegRecord& leg) {
    if (!is_tcp(leg.stream)) {
        return static_cast<unsigned>(std::hash<std::string>{}(leg.call_id) % udp_workers_);
    }
    if (workers_.size() == udp_workers_) add_worker();
    return udp_workers_;
}

Engine::~Engine() {
    *alive_ = false;
}

Result<std::unique_ptr<Engine>> Engine::start(io::Loop& loop, Options options, OnRecord on_record) {
    std::unique_ptr<Engine> engine(new Engine(loop, std::move(options), std::move(on_record)));
    if (engine->options_.standing) {
        auto watch = io::AddressWatch::open(loop, [raw = engine.get()] { raw->look_at_addresses(); });
        if (!watch) return std::unexpected(watch.error());
        engine->addresses_ = std::move(*watch);
    }
    if (!engine->options_.journal.empty()) {
        if (auto opened = engine->open_journal(); !opened) return std::unexpected(opened.error());
    }
    engine->start_fast_path();
    return engine;
}

void Engine::start_fast_path() {
    if (options_.tiers.fast_path == FastPathChoice::off) return;
    fast_path_ = std::make_unique<FastPath>(loop_, options_.tiers, log_);
    if (!fast_path_->on()) return;
    const auto kept = fast_path_->kept();
    std::vector<Endpoint> taken;
    for (unsigned i = 0; i < udp_workers_; ++i) {
        workers_[i]->run([&](Plane& plane) {
            const auto ports = plane.use_fast_path(*fast_path_, options_.tos.value_or(0), kept);
            taken.insert(taken.end(), ports.begin(), ports.end());
        });
    }
    // What no leg has taken up is not to be forwarded any more.
    std::ranges::sort(taken);
    for (const auto& each : kept) {
        if (!std::ranges::binary_search(taken, each.key.destination)) (void)fast_path_->table().remove(each.key);
    }
    if (!taken.empty())
        log_.major("the kernel has forwarded " + std::to_string(taken.size()) + " directions meanwhile");
}

void Engine::leave_kernel() {
    if (fast_path_) fast_path_->withdraw();
}

Surroundings Engine::surroundings() const {
    Surroundings around;
    around.networks = options_.networks;
    around.ports = options_.ports;
    for (const HostAddress& each : options_.host) {
        around.own.push_back(each.address);
        if (const auto broadcast = broadcast_of(each)) around.broadcasts.push_back(*broadcast);
    }
    for (const auto* side : {&options_.lan, &options_.wan}) {
        for (const IpAddress& address : *side) {
            around.own.push_back(address);
            around.media.push_back(address);
        }
    }
    for (const auto& [bound, shown] : options_.advertise) {
        around.own.push_back(shown);
        around.media.push_back(shown);
    }
    return around;
}

void Engine::reconfigure(const Options& options) {
    options_.networks = options.networks;
    options_.host = options.host;
    options_.source_port_restriction = options.source_port_restriction;
    options_.tos = options.tos;
    options_.timeouts = options.timeouts;
    options_.dial_for = options.dial_for;
    options_.hep = options.hep;
    outlet_.configure(options_.hep);
    options_.advertise = options.advertise;
    options_.lan = options.lan;
    options_.wan = options.wan;
    ports_->set_tos(options.tos);
    use_addresses();
    for (unsigned i = 0; i < workers_.size(); ++i) {
        post(i,
             [timeouts = options.timeouts, dial_for = options.dial_for, tos = options.tos.value_or(0)](Plane& plane) {
                 plane.set_timeouts(timeouts);
                 plane.set_dial_for(dial_for);
                 plane.set_tos(tos);
             });
    }
}

/// Those of the options.
void Engine::use_addresses() {
    ports_->set_addresses(options_.lan, options_.wan, options_.host);
    surroundings_ = surroundings();
    const LanGuard guard(options_.networks.lan, options_.host);
    for (unsigned i = 0; i < workers_.size(); ++i) post(i, [guard](Plane& plane) { plane.set_guard(guard); });
}

Result<Engine::Entry*> Engine::get(const std::string& leg) {
    const auto found = legs_.find(key_of(leg));
    if (found == legs_.end()) return fail(Errc::not_found, "no leg '" + text::printable(leg, 40) + "'", "leg");
    return &found->second;
}

const record::LegRecord* Engine::find(const std::string& leg) const {
    const auto found = legs_.find(key_of(leg));
    return found == legs_.end() ? nullptr : &found->second.leg;
}

const record::LegRecord* Engine::find_request(const std::string& request) const {
    const auto found = restored_requests_.find(request);
    if (request.empty() || found == restored_requests_.end()) return nullptr;
    return find(id_of(found->second));
}

std::size_t Engine::claim(const std::string& owner) {
    Claim& claim = claims_[owner];
    claim.open.clear();
    claim.deadline = loop_.now() + claim_time;
    for (const auto& [key, entry] : legs_) {
        if (entry.leg.owner == owner) claim.open.insert(key);
    }
    if (!claim_timer_.active()) claim_timer_.start_at(claim.deadline);
    return claim.open.size();
}

void Engine::keep(const std::string& leg) {
    for (auto& [owner, claim] : claims_) claim.open.erase(key_of(leg));
}

void Engine::close_unclaimed() {
    const Instant now = loop_.now();
    std::optional<Instant> next;
    for (auto claim = claims_.begin(); claim != claims_.end();) {
        if (claim->second.deadline > now) {
            next = next ? std::min(*next, claim->second.deadline) : claim->second.deadline;
            ++claim;
            continue;
        }
        const auto open = std::move(claim->second.open);
        if (!open.empty())
            log_.major(std::to_string(open.size()) + " legs were not claimed by '" + text::printable(claim->first, 60) +
                       "' and are closed");
        const Batch all(*this);
        for (const LegKey key : open) (void)free(id_of(key), "unclaimed");
        claim = claims_.erase(claim);
    }
    if (next) claim_timer_.start_at(*next);
}

std::vector<Engine::Listed> Engine::legs() const {
    std::vector<Listed> listed;
    listed.reserve(legs_.size());
    for (const auto& [key, entry] : legs_) listed.push_back({entry.order, &entry.leg});
    std::sort(listed.begin(), listed.end(), [](const Listed& a, const Listed& b) { return a.order < b.order; });
    return listed;
}

std::vector<Engine::Listed> Engine::legs_of(const std::string& call_id) const {
    std::vector<Listed> listed;
    const auto [first, last] = by_call_.equal_range(call_id);
    for (auto each = first; each != last; ++each) {
        const Entry& entry = legs_.at(each->second);
        listed.push_back({entry.order, &entry.leg});
    }
    std::sort(listed.begin(), listed.end(), [](const Listed& a, const Listed& b) { return a.order < b.order; });
    return listed;
}

void Engine::collect(const std::string& leg, OnStatistics on_statistics) {
    struct Gathered {
        record::StatisticsByLeg statistics;
        std::size_t missing = 0;
        OnStatistics done;
    };
    auto gathered = std::make_shared<Gathered>();
    gathered->done = std::move(on_statistics);
    const auto found = legs_.find(key_of(leg));
    std::vector<unsigned> asked;
    for (unsigned i = 0; i < workers_.size(); ++i) {
        if (leg.empty() || (found != legs_.end() && found->second.worker == i)) asked.push_back(i);
    }
    gathered->missing = asked.size();
    const LegKey key = leg.empty() ? 0 : key_of(leg);
    for (const unsigned worker : asked) {
        post(worker, [this, alive = alive_, gathered, key](Plane& plane) {
            auto part = std::make_shared<record::StatisticsByLeg>();
            plane.collect(key, *part);
            (void)loop_.post([alive, gathered, part] {
                gathered->statistics.merge(*part);
                if (--gathered->missing == 0 && *alive) gathered->done(std::move(gathered->statistics));
            });
        });
    }
    if (asked.empty()) gathered->done({});
}

Engine::Status Engine::status() const {
    TrafficGauge::Reading traffic;
    for (const auto& worker : workers_) {
        const auto part = worker->traffic().read(loop_.now());
        traffic.total += part.total;
        traffic.packets_a_second += part.packets_a_second;
    }
    return {.legs = legs_.size(),
            .sessions = standby_ ? named_joins() : joins_,
            .ports_in_use = ports_->in_use(),
            .ports_cooling = ports_->cooling(),
            .workers = udp_workers_,
            .journal_bytes = journal_ ? journal_->size() : 0,
            .journal_error = journal_error_,
            .fast_path = fast_path_ ? fast_path_->why_not() : "off",
            .fast_flows = fast_path_ ? fast_path_->flows.load() : 0,
            .not_forwarded = fast_path_ ? fast_path_->left() : decltype(Status::not_forwarded){},
            .steered = steered_ != nullptr,
            .steered_ports = steered_ ? steered_->claimed() : 0,
            .steering_error = steering_error_,
            .traffic = traffic.total,
            .packets_a_second = traffic.packets_a_second};
}

}  // namespace natkit::relay
