#include "rtpproxy_sessions.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/record/json_members.hpp"
#include "party.hpp"
#include "waiting.hpp"

namespace natkit::rtpproxy {
namespace {

using dialog::index;
using dialog::other;
using Json = nlohmann::ordered_json;

constexpr const char* owner = "rtpproxy";
constexpr unsigned most_streams = 64;
constexpr std::size_t most_name = 512;  ///< bytes: names are kept, and journalled, as long as the call lasts
constexpr int bad_name = 1;             ///< rtpproxy's number for a syntax error

Refusal refused(int number, const Error& error) {
    return {.number = error.code == Errc::exhausted ? no_ports : number, .message = to_string(error)};
}

Side side_of(Interface named) {
    return named == Interface::internal ? Side::lan : Side::wan;
}

}  // namespace

Sessions::Sessions(io::Loop& loop, relay::Engine& engine, LogLevel log_level)
    : loop_(loop), engine_(engine), log_("MEDIAPROXY", log_level), timer_(loop, [this] { on_time(); }) {
    if (!engine_.standby()) take_up();
    engine_.on_freed(owner, [this](const std::string& leg) { on_leg_freed(leg); });
}

void Sessions::handle(std::string_view line, const Respond& respond) {
    std::optional<relay::Engine::Batch> batch(std::in_place, engine_);
    const auto command = parse_command(line);
    const auto refuse = [&](const Refusal& refusal) {
        log_.problems("rtpproxy: E" + std::to_string(refusal.number) + ": " + text::printable(refusal.message, 200));
        respond(error_reply(refusal.number));
    };
    if (!command) return refuse(command.error());
    if (command->call_id.size() > most_name || command->from.text.size() > most_name ||
        (command->to && command->to->text.size() > most_name)) {
        return refuse({bad_name, "a Call-ID or tag is longer than 512 bytes"});
    }
    const bool asks_version = command->verb == Verb::version || command->verb == Verb::feature;
    if (engine_.standby() && !asks_version) return refuse({shutting_down, "this node is the standby"});
    Answer answer;
    switch (command->verb) {
        case Verb::version: answer = "20040107\n"; break;
        case Verb::feature: answer = number_reply(knows_feature(command->feature) ? 1 : 0); break;
        case Verb::update: answer = update(*command); break;
        case Verb::lookup: answer = lookup(*command); break;
        case Verb::remove: answer = remove(*command); break;
        case Verb::query: return query(*command, respond);
        case Verb::info:
            answer = "sessions created: " + std::to_string(created_) +
                     "\nactive sessions: " + std::to_string(sessions_.size()) +
                     "\nactive streams: " + std::to_string(engine_.status().sessions) + "\n";
            break;
        case Verb::remove_all:
            while (!sessions_.empty()) end(sessions_.begin());
            answer = number_reply(0);
            break;
    }
    batch.reset();  // what it changes is journalled, and the packet threads know of it, before it is answered
    if (!answer) return refuse(answer.error());
    respond(*answer);
}

/// The session of the tags, and which end the command describes: of an update who is named first, of a lookup who is
/// named last.
Sessions::Known::iterator Sessions::find(const Command& command, End& describes) {
    const std::string& from = command.from.text;
    const std::string to = command.to ? command.to->text : std::string();
    const auto [first, last] = sessions_.equal_range(command.call_id);
    for (auto at = first; at != last; ++at) {
        const Session& session = at->second;
        if (session.caller == from && (to.empty() || session.callee.empty() || session.callee == to)) {
            describes = command.verb == Verb::lookup ? End::callee : End::caller;
            return at;
        }
        if (!session.callee.empty() && session.callee == from && (to.empty() || session.caller == to)) {
            describes = command.verb == Verb::lookup ? End::caller : End::callee;
            return at;
        }
    }
    // A fork: another callee answers the one offer.
    if (command.verb == Verb::lookup) {
        for (auto at = first; at != last; ++at) {
            if (at->second.caller != from) continue;
            describes = End::callee;
            return at;
        }
    }
    return sessions_.end();
}

relay::Party Sessions::party_of(const Command& command) const {
    ng::Request request;
    request.wishes.asymmetric = command.asymmetric;
    const dialog::Described said{.kind = relay::Stream::rtp, .rtp = command.remote};
    return ng::describe_party(said, request, engine_.options().networks).party;
}

std::expected<Sessions::Pair*, Refusal> Sessions::open_pair(Known::iterator session, const Command& command, End own) {
    const relay::Options& options = engine_.options();
    std::array<Side, 2> sides{Side::wan, Side::wan};
    std::optional<relay::Party> party;
    if (command.remote) {
        party = party_of(command);
        if (party->place == nat::Place::lan) sides[index(own)] = Side::lan;
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(2, command.interfaces.size()); ++i)
        sides[i == 0 ? index(own) : index(other(own))] = side_of(command.interfaces[i]);
    Pair pair;
    pair.parties[index(own)] = party;
    for (const End end : {own, other(own)}) {
        relay::OpenRequest open{.family = command.family, .call_id = command.call_id, .owner = owner};
        open.side = ng::side_with_address(options, sides[index(end)], open.family);
        if (end == own) open.party = party;
        const auto leg = engine_.open(open);
        if (!leg) {
            if (end != own) (void)engine_.free(pair.legs[index(own)]);
            return std::unexpected(refused(unknown_session, leg.error()));
        }
        pair.legs[index(end)] = (*leg)->id;
    }
    const unsigned stream = command.from.stream.value_or(1);
    Pair& kept = session->second.pairs[stream] = std::move(pair);
    return &kept;
}

std::expected<void, Refusal> Sessions::face(Pair& pair, End end) {
    if (!pair.parties[index(end)]) return {};
    const auto updated = engine_.update(pair.legs[index(end)], {.party = pair.parties[index(end)]});
    if (!updated) return std::unexpected(refused(unknown_session, updated.error()));
    return {};
}

/// The call is answered: what both parties said takes effect.
std::expected<void, Refusal> Sessions::connect(Session& session, Pair& pair, unsigned stream) {
    for (const End end : {End::caller, End::callee}) {
        if (auto told = face(pair, end); !told) return told;
    }
    if (auto joined = engine_.join(pair.legs[0], pair.legs[1]); !joined)
        return std::unexpected(refused(unknown_session, joined.error()));
    session.ends_at.reset();
    keep(session, stream);
    return {};
}

std::string Sessions::port(const Pair& pair, End viewer, const Command& command) const {
    const record::LegRecord* leg = engine_.find(pair.legs[index(viewer)]);
    if (leg == nullptr) return error_reply(unknown_session);
    Endpoint local = leg->local(relay::Component::rtp);
    if (command.local) local.address = *command.local;
    return port_reply(local);
}

/// U: what a party says is where it wants its media; the port is what the other one is told instead.
Sessions::Answer Sessions::update(const Command& command) {
    End own{};
    auto session = find(command, own);
    const unsigned stream = command.from.stream.value_or(1);
    if (stream > most_streams) return std::unexpected(Refusal{no_ports, "more than 64 streams"});
    const bool fresh = session == sessions_.end();
    if (fresh) {
        if (draining_) return std::unexpected(Refusal{shutting_down, "this relay drains: it takes no new calls"});
        own = End::caller;
        ++created_;
        session = sessions_.emplace(
            command.call_id,
            Session{.caller = command.from.text, .callee = command.to ? command.to->text : std::string(), .pairs = {}});
    }
    Session& known = session->second;
    const auto found = known.pairs.find(stream);
    if (found == known.pairs.end()) {
        const auto opened = open_pair(session, command, own);
        if (!opened) {
            if (known.pairs.empty()) sessions_.erase(session);
            return std::unexpected(opened.error());
        }
        if (fresh) {
            known.ends_at = loop_.now() + ng::unanswered_offer_time;
            deadlines_.add(loop_.now() + ng::looking_time, command.call_id);
            timer_.start_at(*deadlines_.next());
        }
        keep(known, stream);
        return port(**opened, other(own), command);
    }
    Pair& pair = found->second;
    if (command.remote) {
        const relay::Party party = party_of(command);
        const bool joined = pair.parties[0] && pair.parties[1];
        if (joined) {
            pair.offered = party;  // the offer may be refused
        } else {
            pair.parties[index(own)] = party;
            if (pair.parties[index(other(own))]) {
                // The answer to a late offer comes as an update too (OpenSIPS, rtpproxy_engage).
                if (auto done = connect(known, pair, stream); !done) return std::unexpected(done.error());
            } else if (auto told = face(pair, own); !told) {
                return std::unexpected(told.error());
            }
        }
    }
    return port(pair, other(own), command);
}

/// L: the answer. Both parties are known now.
Sessions::Answer Sessions::lookup(const Command& command) {
    End own{};
    const auto session = find(command, own);
    if (session == sessions_.end()) return std::unexpected(Refusal{unknown_session, "unknown call"});
    Session& known = session->second;
    const unsigned stream = command.from.stream.value_or(1);
    const auto found = known.pairs.find(stream);
    if (found == known.pairs.end()) return std::unexpected(Refusal{unknown_session, "unknown stream"});
    if (own == End::callee && command.to) known.callee = command.to->text;
    Pair& pair = found->second;
    if (pair.offered) pair.parties[index(other(own))] = std::exchange(pair.offered, std::nullopt);
    if (command.remote) {
        const relay::Party party = party_of(command);
        pair.parties[index(own)] = party;
    }
    if (auto done = connect(known, pair, stream); !done) return std::unexpected(done.error());
    return port(pair, other(own), command);
}

Sessions::Answer Sessions::remove(const Command& command) {
    End own{};
    const auto session = find(command, own);
    if (session == sessions_.end()) return std::unexpected(Refusal{unknown_session, "unknown call"});
    end(session);
    return number_reply(0);
}

/// The packets that came from both ends, what was relayed and what was dropped; before that how long the session may
/// still be silent.
void Sessions::query(const Command& command, const Respond& respond) {
    End own{};
    const auto session = find(command, own);
    if (session == sessions_.end()) return respond(error_reply(unknown_session));
    const auto pair = session->second.pairs.find(command.from.stream.value_or(1));
    if (pair == session->second.pairs.end()) return respond(error_reply(unknown_session));
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(engine_.options().timeouts.silence).count();
    const std::array keys = {relay::key_of(pair->second.legs[0]), relay::key_of(pair->second.legs[1])};
    engine_.collect(pair->second.legs[0], [respond, keys, left](const record::StatisticsByLeg& statistics) {
        std::array<std::uint64_t, 2> received{};
        std::uint64_t relayed = 0;
        std::uint64_t dropped = 0;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const auto found = statistics.find(keys[i]);
            if (found == statistics.end()) continue;
            for (const relay::Counters& each : found->second.counters) {
                received[i] += each.received_packets;
                relayed += each.sent_packets;
                for (const std::uint64_t count : each.drops) dropped += count;
            }
        }
        respond(std::to_string(left) + " " + std::to_string(received[0]) + " " + std::to_string(received[1]) + " " +
                std::to_string(relayed) + " " + std::to_string(dropped) + "\n");
    });
}

void Sessions::end(Known::iterator session) {
    const Session over = std::move(session->second);
    sessions_.erase(session);
    ending_ = true;
    for (const auto& [stream, pair] : over.pairs) {
        for (const std::string& leg : pair.legs) (void)engine_.free(leg, "freed", relay::Engine::Wake::later);
    }
    ending_ = false;
}

/// Calls that nobody has answered end.
void Sessions::on_time() {
    const relay::Engine::Batch batch(engine_);
    const Instant now = loop_.now();
    while (const auto call_id = deadlines_.pop_due(now)) {
        bool rings = false;
        auto [at, last] = sessions_.equal_range(*call_id);
        while (at != last) {
            const auto session = at++;
            if (!session->second.ends_at) continue;
            if (*session->second.ends_at <= now) {
                end(session);
            } else {
                rings = true;
            }
        }
        if (rings) deadlines_.add(now + ng::looking_time, *call_id);
    }
    if (const auto next = deadlines_.next()) timer_.start_at(*next);
}

/// By silence, or by an operator: of the stream nothing is left.
void Sessions::on_leg_freed(const std::string& leg) {
    if (ending_) return;
    for (auto session = sessions_.begin(); session != sessions_.end(); ++session) {
        auto& pairs = session->second.pairs;
        const auto pair = std::ranges::find_if(
            pairs, [&](const auto& each) { return each.second.legs[0] == leg || each.second.legs[1] == leg; });
        if (pair == pairs.end()) continue;
        const Pair gone = std::move(pair->second);
        pairs.erase(pair);
        if (pairs.empty()) sessions_.erase(session);
        for (const std::string& one : gone.legs) {
            if (one != leg) (void)engine_.free(one);
        }
        return;
    }
}

/// With its first leg: whose the stream is, and its other leg.
void Sessions::keep(const Session& session, unsigned stream) {
    const Pair& pair = session.pairs.at(stream);
    const Json state = {
        {"caller", session.caller}, {"callee", session.callee}, {"stream", stream}, {"other", pair.legs[1]}};
    relay::UpdateRequest update;
    update.owner_state = state.dump(-1, ' ', false, Json::error_handler_t::replace);
    (void)engine_.update(pair.legs[0], update);
}

void Sessions::take_up() {
    for (const auto& [order, leg] : engine_.legs()) {
        if (leg->owner != owner || leg->owner_state.empty()) continue;
        const Json state = Json::parse(leg->owner_state, nullptr, false);
        if (!state.is_object() || !state.contains("stream") || !state["stream"].is_number_unsigned()) continue;
        const record::LegRecord* second = engine_.find(record::text_of(state, "other"));
        if (second == nullptr || second->owner != owner) continue;
        const auto [first, last] = sessions_.equal_range(leg->call_id);
        auto session = std::find_if(
            first, last, [&](const auto& each) { return each.second.caller == record::text_of(state, "caller"); });
        if (session == last) {
            session = sessions_.emplace(leg->call_id, Session{.caller = record::text_of(state, "caller"),
                                                              .callee = record::text_of(state, "callee"),
                                                              .pairs = {}});
        }
        Pair& pair = session->second.pairs[state["stream"].get<unsigned>()];
        pair.legs = {leg->id, second->id};
        pair.parties = {leg->party, second->party};
        if (leg->joined.empty()) {
            session->second.ends_at = loop_.now() + ng::unanswered_offer_time;
            deadlines_.add(loop_.now() + ng::looking_time, leg->call_id);
        }
    }
    if (const auto next = deadlines_.next()) timer_.start_at(*next);
}

}  // namespace natkit::rtpproxy
