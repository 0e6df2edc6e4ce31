// The commands that talk to a serving mediarelay.
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/words.hpp"
#include "mediarelay.hpp"
#include "natkit/engine/control/client.hpp"

namespace natkit::mediarelay {
namespace {

using namespace std::chrono_literals;

struct Command {
    const char* name;
    const char* help;
};
constexpr Command commands[] = {
    {"relay", "Relay between two parties: opens a leg for each and joins them"},
    {"list", "Legs with their counters"},
    {"show", "One leg and the one it is joined to"},
    {"watch", "The present state, then every change, a record a line"},
    {"open", "Open a leg for a party"},
    {"reserve", "Set ports aside for a leg"},
    {"update", "Tell a leg's party, put it on hold, switch its mux"},
    {"join", "Join two legs"},
    {"part", "Part a leg from the other and close its sockets"},
    {"free", "Free legs"},
    {"status", "What the server is doing"},
};

Result<Json> request_params(const std::string& command, const ClientOptions& options) {
    Json params = Json::object();
    const auto put = [&](Json& object, const char* key, const std::string& value) {
        if (!value.empty()) object[key] = value;
    };
    const auto put_party = [&](Json& object, const std::string& text, const std::string& setup) -> Result<void> {
        if (text.empty()) return {};
        auto party = read_party_argument(text, options.stream, setup);
        if (!party) return std::unexpected(party.error());
        object["party"] = *party;
        return {};
    };
    put(params, "stream", options.stream);
    put(params, "call_id", options.call_id);
    put(params, "owner", options.owner);
    if (options.mux) params["mux"] = true;
    if (options.connections > 1) params["connections"] = options.connections;
    if (command == "relay") {
        const bool tcp = options.stream == "tcp" || options.stream == "t120";
        for (const bool first : {true, false}) {
            Json& side = params[first ? "a" : "b"] = Json::object();
            std::string setup = first ? options.setup_a : options.setup_b;
            const auto stream = options.stream == "tcp" ? relay::Stream::tcp : relay::Stream::t120;
            if (tcp && setup.empty()) setup = sdp::to_string(relay::default_setup(stream, first));
            if (auto done = put_party(side, first ? options.a : options.b, setup); !done) {
                return std::unexpected(done.error());
            }
        }
        return params;
    }
    put(params, "side", options.side);
    put(params, "family", options.family);
    if (auto done = put_party(params, options.party, options.setup); !done) return std::unexpected(done.error());
    put(params, "connection", options.connection);
    if (!options.hold.empty()) params["hold"] = options.hold == "on";
    if (!options.mux_switch.empty()) params["mux"] = options.mux_switch == "on";
    if (command == "join") {
        params["a"] = options.legs.at(0);
        params["b"] = options.legs.at(1);
    } else if (command == "free" && !options.legs.empty()) {
        params["legs"] = options.legs;
    } else if (!options.legs.empty()) {
        params["leg"] = options.legs.front();
    }
    return params;
}

std::string word(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) return {};
    return found->is_string() ? found->get<std::string>() : found->dump();
}

/// A leg for people: "3f… joined lan 192.168.10.1:20000 <- lan 192.168.10.5:4000 exact  in 250 out 249 …".
std::string leg_text(const Json& leg) {
    std::ostringstream line;
    line << word(leg, "leg") << "  " << word(leg, "state") << "  ";
    if (leg.contains("stream") && leg["stream"] != "rtp") line << word(leg, "stream") << ' ';
    line << word(leg, "side") << ' ' << word(leg, "local");
    if (const auto party = leg.find("party"); party != leg.end()) {
        line << "  party " << word(*party, "place") << ' ';
        line << (party->contains("endpoint") ? word(*party, "endpoint") : word(*party, "visible"));
        if (party->contains("setup")) line << ' ' << word(*party, "setup");
    }
    if (const auto latched = leg.find("latched"); latched != leg.end() && latched->contains("rtp")) {
        line << "  at " << word((*latched)["rtp"], "endpoint") << " (" << word((*latched)["rtp"], "rule") << ')';
    }
    if (const auto statistics = leg.find("statistics"); statistics != leg.end()) {
        if (const auto tcp = statistics->find("connections"); tcp != statistics->end()) {
            line << "  in " << word((*statistics)["received"], "bytes") << " bytes out "
                 << word((*statistics)["sent"], "bytes") << " bytes, connections " << word(*tcp, "open") << " open of "
                 << word(*tcp, "opened");
        } else {
            line << "  in " << word((*statistics)["received"], "packets") << " out "
                 << word((*statistics)["sent"], "packets");
        }
        if ((*statistics)["received"].contains("lost")) line << " lost " << word((*statistics)["received"], "lost");
        if (statistics->contains("tier")) {
            line << "  " << word(*statistics, "tier");
            if (statistics->contains("not_fast")) line << " (" << word(*statistics, "not_fast") << ')';
        }
        if (statistics->contains("drops")) line << " drops " << (*statistics)["drops"].dump();
    }
    if (leg.contains("joined")) line << "  joined to " << word(leg, "joined");
    if (leg.contains("audio")) line << "  audio " << word(leg["audio"], "state");
    if (leg.contains("call_id")) line << "  call " << word(leg, "call_id");
    return line.str();
}

std::string text_of(const std::string& command, const Json& reply) {
    std::ostringstream out;
    if (reply.contains("legs") && reply["legs"].is_array()) {
        for (const Json& leg : reply["legs"]) out << leg_text(leg) << '\n';
        return out.str();
    }
    if (command == "relay") {
        for (const char* side : {"a", "b"}) {
            out << side << ": leg " << word(reply[side], "leg") << " at " << word(reply[side], "local") << '\n';
        }
        return out.str();
    }
    for (const auto& [key, value] : reply.items()) out << key << ": " << word(reply, key.c_str()) << '\n';
    return out.str();
}

class Session {
  public:
    Session(const std::string& socket, tool::Format format)
        : client_(loop_, socket, control::random_prefix()), json_(tool::wants_json(format)) {
        client_.set_timeout(5s);
        client_.on_state([this](bool connected, const std::string& why) {
            if (connected) {
                met_ = true;
            } else if (!met_) {
                fail_with(why + "; is 'mediarelay serve' running?");
            } else if (watching_) {
                finish(tool::Exit::fine);  // the server ended
            }
        });
    }

    tool::Exit ask(const std::string& command, Json params) {
        send(command, std::move(params));
        loop_.run();
        return exit_;
    }

    tool::Exit watch() {
        watching_ = true;
        client_.watch([this](const Json& record) {
            output_.write(record.dump() + "\n");
            output_.flush();
        });
        loop_.run();
        return exit_;
    }

  private:
    void send(const std::string& command, Json params) {
        client_.request(command, params, [this, command, params](Result<Json> reply) {
            if (!reply) return fail_with(to_string(reply.error()));
            show(command, *reply);
            if (command == "list" && reply->contains("next")) {
                Json next = params;
                next["after"] = (*reply)["next"];
                return send(command, std::move(next));
            }
            finish(tool::Exit::fine);
        });
    }

    void show(const std::string& command, const Json& reply) {
        if (!json_) {
            output_.write(text_of(command, reply));
        } else if (reply.contains("legs") && reply["legs"].is_array()) {
            for (const Json& leg : reply["legs"]) output_.write(leg.dump() + "\n");
        } else {
            output_.write(reply.dump() + "\n");
        }
    }

    void fail_with(const std::string& why) {
        tool::complain("mediarelay", why);
        finish(tool::Exit::bad_record);
    }

    void finish(tool::Exit exit) {
        exit_ = exit;
        loop_.stop();
    }

    io::Loop loop_;
    control::Client client_;
    tool::Output output_{"mediarelay"};
    bool json_;
    bool met_ = false;
    bool watching_ = false;
    tool::Exit exit_ = tool::Exit::fine;
};

}  // namespace

void add_client_commands(CLI::App& app, ClientOptions& options) {
    const auto has = [](const std::string& name, std::initializer_list<const char*> names) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    for (const auto& [name, help] : commands) {
        CLI::App* sub = app.add_subcommand(name, help);
        sub->fallthrough();
        sub->add_option("--runtime", options.runtime_dir,
                        "Folder of the control socket (default: that of [control] socket)")
            ->type_name("DIR");
        if (has(name, {"relay"})) {
            sub->add_option("--a", options.a, "One party: [PLACE:]ENDPOINT")->required()->type_name("PARTY");
            sub->add_option("--b", options.b, "The other party")->required()->type_name("PARTY");
            sub->add_option("--setup-a", options.setup_a, "TCP: what A does (RFC 4145)")
                ->check(tool::one_of(setup_words));
            sub->add_option("--setup-b", options.setup_b, "TCP: what B does")->check(tool::one_of(setup_words));
        }
        if (has(name, {"relay", "open", "reserve"})) {
            sub->add_option("--stream", options.stream, "What is relayed")
                ->check(tool::one_of({"rtp", "udp", "tcp", "t120"}));
            sub->add_option("--connections", options.connections, "TCP: how many at once")->check(CLI::Range(1, 8));
            sub->add_flag("--mux", options.mux, "RTCP shares the RTP port");
            sub->add_option("--owner", options.owner, "Whose leg it is")->type_name("NAME");
        }
        if (has(name, {"open", "reserve", "update"})) {
            sub->add_option("--party", options.party, "The party: [PLACE:]ENDPOINT")->type_name("PARTY");
            sub->add_option("--setup", options.setup, "TCP: what the party does (RFC 4145)")
                ->check(tool::one_of(setup_words));
        }
        if (has(name, {"open", "reserve"})) {
            sub->add_option("--side", options.side, "Side of the local address (default: by the party)")
                ->check(tool::one_of({"lan", "wan"}));
            sub->add_option("--family", options.family, "Family of the local address (default: by the party)")
                ->check(tool::one_of({"ipv4", "ipv6"}));
        }
        if (has(name, {"relay", "open", "reserve", "list", "free"})) {
            sub->add_option("--call-id", options.call_id, "The call it belongs to")->type_name("ID");
        }
        if (has(name, {"list"}))
            sub->add_option("--owner", options.owner, "Only the legs of this owner")->type_name("NAME");
        if (has(name, {"update"}))
            sub->add_option("--connection", options.connection, "TCP: whether a new one replaces the present one")
                ->check(tool::one_of({"new", "existing"}));
        if (has(name, {"update"}))
            sub->add_option("--hold", options.hold, "On hold or not")->check(tool::one_of({"on", "off"}));
        if (has(name, {"update"}))
            sub->add_option("--mux", options.mux_switch, "Whether RTCP shares the RTP port")
                ->check(tool::one_of({"on", "off"}));
        if (has(name, {"show", "update", "part"}))
            sub->add_option("leg", options.legs, "The leg")->required()->expected(1);
        if (has(name, {"open"})) sub->add_option("leg", options.legs, "A reserved leg")->expected(0, 1);
        if (has(name, {"join"})) sub->add_option("legs", options.legs, "The two legs")->required()->expected(2);
        if (has(name, {"free"})) sub->add_option("legs", options.legs, "The legs")->expected(0, 1000);
    }
}

bool is_client_command(const CLI::App& app) {
    return std::any_of(std::begin(commands), std::end(commands),
                       [&](const Command& command) { return app.got_subcommand(command.name); });
}

tool::Exit run_client(const CLI::App& app, const tool::CommonOptions& common, const ClientOptions& options) {
    const std::string command = app.get_subcommands().front()->get_name();
    if (command == "free" && options.legs.empty() && options.call_id.empty()) {
        tool::complain("mediarelay", "free: name the legs, or --call-id");
        return tool::Exit::usage;
    }
    const auto params = request_params(command, options);
    if (!params) {
        tool::complain("mediarelay", params.error());
        return tool::Exit::usage;
    }
    std::string runtime = options.runtime_dir;
    if (runtime.empty()) {
        const auto config = load_config(common);
        if (!config) return tool::Exit::usage;
        runtime = source_of(common).runtime_dir(*config);
    }
    Session session(runtime + "/mediarelay.sock", common.format);
    return command == "watch" ? session.watch() : session.ask(command, *params);
}

}  // namespace natkit::mediarelay
