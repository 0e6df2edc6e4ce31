// One relay in the foreground, for a script.
#include <csignal>
#include <nlohmann/json.hpp>

#include "common/words.hpp"
#include "mediarelay.hpp"
#include "natkit/io/fd.hpp"

namespace natkit::mediarelay {
namespace {

/// A party of the command line with what the configuration knows about it.
Result<relay::Party> party_of(const std::string& text, const std::string& stream, const std::string& setup,
                              const nat::Networks& networks) {
    auto object = read_party_argument(text, stream, setup);
    if (!object) return std::unexpected(object.error());
    if (!object->contains("place")) {
        const auto endpoint = Endpoint::parse((*object)["endpoint"].get<std::string>());
        const auto verdict = nat::classify_address(endpoint->address, networks);
        (*object)["place"] = nat::to_string(verdict.place);
        if (verdict.place == nat::Place::far_end) (*object)["visible"] = to_string(endpoint->address);
    }
    record::ObjectReader reader;
    const auto view = reader.read(object->dump(-1, ' ', false, Json::error_handler_t::replace));
    if (!view) return std::unexpected(view.error());
    auto party = record::parse_party(*view);
    if (party && party->visible) party->site = nat::site_of(*party->visible, networks);
    return party;
}

/// The whole of one `run`: an engine without socket or journal, two legs, a timer.
class Foreground {
  public:
    Foreground(io::Loop& loop, const RunOptions& options)
        : loop_(loop), options_(options), timer_(loop, [this] { tick(); }) {}

    Result<void> start(relay::Options engine) {
        const nat::Networks networks = engine.networks;
        auto started =
            relay::Engine::start(loop_, std::move(engine), [this](const Json& record) { on_record(record); });
        if (!started) return std::unexpected(started.error());
        engine_ = std::move(*started);
        const auto a = open(options_.a, !options_.bind_a.empty(), relay::Side::lan, networks);
        if (!a) return std::unexpected(a.error());
        const auto b = open(options_.b, !options_.bind_b.empty(), relay::Side::wan, networks);
        if (!b) return std::unexpected(b.error());
        if (auto joined = engine_->join(*a, *b); !joined) return joined;
        a_ = *a;
        b_ = *b;
        Json endpoints = {{"type", "session"}, {"event", "joined"}};
        for (const auto& [name, id] : {std::pair("a", a_), std::pair("b", b_)}) {
            const record::LegRecord& leg = *engine_->find(id);
            endpoints[name] = {{"leg", id}, {"local", to_string(leg.local(relay::Component::rtp))}};
            if (leg.stream == relay::Stream::rtp)
                endpoints[name]["rtcp"] = to_string(leg.local(relay::Component::rtcp));
        }
        write(endpoints);
        return {};
    }

    void tick_every(Duration interval) {
        interval_ = interval;
        if (interval > Duration::zero()) timer_.start_in(interval);
    }

    /// Ends with a summary.
    void finish(const char* why) {
        if (std::exchange(finishing_, true)) return;
        report("ended", [this, why](Json record) {
            record["reason"] = why;
            write(record);
            loop_.stop();
        });
    }

  private:
    [[nodiscard]] relay::Stream stream() const {
        if (options_.tcp || options_.stream == "tcp") return relay::Stream::tcp;
        if (options_.t120 || options_.stream == "t120") return relay::Stream::t120;
        return options_.stream == "rtp" ? relay::Stream::rtp : relay::Stream::udp;
    }

    Result<std::string> open(const std::string& text, bool bound, relay::Side side, const nat::Networks& networks) {
        relay::OpenRequest request;
        request.stream = stream();
        std::string setup;
        if (relay::is_tcp(request.stream)) {
            setup = side == relay::Side::lan ? options_.setup_a : options_.setup_b;
            if (setup.empty()) setup = sdp::to_string(relay::default_setup(request.stream, side == relay::Side::lan));
            request.connections = options_.connections;
        }
        auto party = party_of(text, relay::to_string(request.stream), setup, networks);
        if (!party) return std::unexpected(party.error());
        request.mux = options_.mux;
        request.side = bound ? side : party->place == nat::Place::lan ? relay::Side::lan : relay::Side::wan;
        const bool far = party->place == nat::Place::far_end;
        request.family = far ? party->visible->family() : party->endpoint->address.family();
        request.party = *party;
        auto leg = engine_->open(request);
        if (leg) return (*leg)->id;
        if (leg.error().code == Errc::not_found && !bound) {
            leg.error().message +=
                std::string("; give one with ") + (side == relay::Side::lan ? "--bind-a" : "--bind-b") + " ADDRESS";
        }
        return std::unexpected(leg.error());
    }

    void write(const Json& record) {
        output_.write(record.dump() + "\n");
        output_.flush();
    }

    void on_record(const Json& record) {
        const std::string type = record["type"];
        // Legs and the join are ours to tell; what packets cause is not.
        if (type == "timeout") {
            finish("timeout");  // told before its legs are freed: the counters are still there
        } else if (type == "latch" || type == "drop" ||
                   (type == "session" && record["event"] != "joined" && record["event"] != "parted")) {
            write(record);
        }
    }

    void report(const char* event, std::function<void(Json)> then) {
        engine_->collect({}, [this, event, then = std::move(then)](const record::StatisticsByLeg& all) {
            Json record = {{"type", "session"}, {"event", event}};
            for (const auto& [name, id] : {std::pair("a", a_), std::pair("b", b_)}) {
                const auto found = all.find(relay::key_of(id));
                if (found == all.end()) continue;
                record[name] = record::to_json(found->second);
                // It has one way for all, which is no news.
                for (const char* key : {"tier", "not_fast"}) record[name].erase(key);
                if (!found->second.connections) record["audio"] = relay::to_string(found->second.audio);
            }
            then(std::move(record));
        });
    }

    void tick() {
        report("statistics", [this](const Json& record) {
            if (!finishing_) write(record);  // "ended" is the last line
        });
        timer_.start_in(interval_);
    }

    io::Loop& loop_;
    const RunOptions& options_;
    tool::Output output_{"mediarelay"};
    io::Timer timer_;
    Duration interval_{};
    std::unique_ptr<relay::Engine> engine_;
    std::string a_;
    std::string b_;
    bool finishing_ = false;
};

Result<Duration> read_interval(const std::string& text) {
    if (text == "off") return Duration::zero();
    const auto interval = parse_duration(text);
    if (!interval) return std::unexpected(interval.error());
    return *interval;
}

Result<void> apply(const RunOptions& options, relay::Options& engine) {
    // Not worth a filter on each interface, which only one process can have.
    engine.tiers.fast_path = relay::FastPathChoice::off;
    if (!options.ports.empty()) {
        const auto ports = relay::PortRange::parse(options.ports);
        if (!ports) return std::unexpected(ports.error());
        engine.ports = *ports;
    }
    if (!options.timeout.empty()) {
        const auto timeout = parse_duration(options.timeout);
        if (!timeout) return std::unexpected(timeout.error());
        engine.timeouts.silence = *timeout;
    }
    for (const auto& [text, side] :
         {std::pair(&options.bind_a, &engine.lan), std::pair(&options.bind_b, &engine.wan)}) {
        if (text->empty()) continue;
        const auto address = IpAddress::parse(*text);
        if (!address) return std::unexpected(address.error());
        *side = {*address};
        // On loopback nothing but a trial on this machine can be meant.
        if (address->is_loopback()) engine.networks.lan.add(IpRange::single(*address));
    }
    if (options.any_port) engine.source_port_restriction = false;
    return {};
}

}  // namespace

void add_run(CLI::App& app, RunOptions& options) {
    app.add_option("--a", options.a, "One party: [PLACE:]ENDPOINT, with PLACE lan, wan or far-end")
        ->required()
        ->type_name("PARTY");
    app.add_option("--b", options.b, "The other party")->required()->type_name("PARTY");
    app.add_option("--bind-a", options.bind_a, "Local address towards A (default: by side, from the configuration)")
        ->type_name("ADDRESS");
    app.add_option("--bind-b", options.bind_b, "Local address towards B")->type_name("ADDRESS");
    app.add_option("--stream", options.stream, "What is relayed")
        ->check(tool::one_of({"rtp", "udp", "tcp", "t120"}))
        ->capture_default_str();
    app.add_flag("--tcp", options.tcp, "TCP: A connects, B is connected to (--stream tcp)");
    app.add_flag("--t120", options.t120, "T.120: A listens at port 1503, B connects (--stream t120)");
    app.add_option("--setup-a", options.setup_a, "TCP: what A does (RFC 4145)")->check(tool::one_of(setup_words));
    app.add_option("--setup-b", options.setup_b, "TCP: what B does")->check(tool::one_of(setup_words));
    app.add_option("--connections", options.connections, "TCP: how many at once")->check(CLI::Range(1, 8));
    app.add_flag("--mux", options.mux, "RTCP shares the RTP port");
    app.add_option("--ports", options.ports, "Port range")->type_name("FIRST-LAST");
    app.add_option("--interval", options.interval, "Time between statistics; off for none")->capture_default_str();
    app.add_option("--timeout", options.timeout, "Silence that ends the relay");
    app.add_flag("--any-port", options.any_port,
                 "Take packets from any port of a WAN party (source_port_restriction off)");
}

tool::Exit run_relay(const tool::CommonOptions& common, const RunOptions& options) {
    const auto config = load_config(common);
    if (!config) return tool::Exit::usage;
    static_cast<void>(io::raise_descriptor_limit());
    relay::Options engine = options_from(*config);
    if (common.log_level.empty()) engine.log_level = LogLevel::failures;  // the records tell the rest
    const auto interval = read_interval(options.interval);
    const auto applied = apply(options, engine);
    for (const Error* error : {interval ? nullptr : &interval.error(), applied ? nullptr : &applied.error()}) {
        if (error == nullptr) continue;
        tool::complain("mediarelay", *error);
        return tool::Exit::usage;
    }
    io::Loop loop;
    Foreground foreground(loop, options);
    if (const auto started = foreground.start(std::move(engine)); !started) {
        tool::complain("mediarelay", started.error());
        return tool::Exit::usage;
    }
    foreground.tick_every(*interval);
    const io::SignalWatch terminate(loop, SIGTERM, [&](int) { foreground.finish("signal"); });
    const io::SignalWatch interrupt(loop, SIGINT, [&](int) { foreground.finish("signal"); });
    loop.run();
    return tool::Exit::fine;
}

}  // namespace natkit::mediarelay
