#include "natkit/engine/rewrite/relay.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/dialog/stream_kind.hpp"
#include "natkit/engine/control/client.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/nat/classify.hpp"

namespace natkit::rewrite {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_calls = 65'536;
constexpr std::size_t most_streams = 64;
constexpr std::size_t most_branches = 64;

Result<Endpoint> endpoint_at(const Json& reply, const char* key) {
    const auto found = reply.find(key);
    if (found == reply.end() || !found->is_string())
        return fail(Errc::bad_input, std::string("the relay's answer has no ") + key);
    return Endpoint::parse(found->get<std::string>());
}

std::string branch_of(const sip::Message& message) {
    const auto& via = message.top_via();
    return via ? via->branch : std::string();
}

}  // namespace

struct Relay::Link {
    io::Loop loop;
    control::Client client;
    std::string why = "no answer";
    bool refused = false;  ///< the last attempt to connect failed

    explicit Link(const std::string& socket) : client(loop, socket, control::random_prefix()) {
        client.set_timeout(std::chrono::seconds(5));
        client.on_state([this](bool connected, const std::string& reason) {
            refused = !connected;
            if (!connected) why = reason;
        });
    }
};

Relay::Relay(const std::string& socket, nat::Networks networks)
    : link_(std::make_unique<Link>(socket)), networks_(std::move(networks)), calls_(most_calls) {}
Relay::~Relay() = default;

Result<Json> Relay::ask(const char* command, const Json& params) {
    const auto kept = std::make_shared<std::optional<Result<control::Json>>>();
    link_->refused = false;
    link_->client.request(command, params, [kept](Result<control::Json> reply) { *kept = std::move(reply); });
    while (!*kept && !link_->refused) link_->loop.run_once();
    if (!*kept) return fail(Errc::system, "mediarelay: " + link_->why);
    const Result<control::Json>& answer = **kept;
    if (!answer) {
        Error error = answer.error();
        error.message = "mediarelay: " + error.message;
        error.where.clear();
        return std::unexpected(std::move(error));
    }
    return Json(*answer);
}

bool Relay::has_legs(const Pair& pair) {
    return pair.legs[0] || pair.legs[1];
}

bool Relay::same_legs(const Pair& a, const Pair& b) {
    const auto same = [](const std::optional<Leg>& one, const std::optional<Leg>& two) {
        return one.has_value() == two.has_value() && (!one || one->id == two->id);
    };
    return same(a.legs[0], b.legs[0]) && same(a.legs[1], b.legs[1]);
}

Result<void> Relay::begin(const sip::Message& message, const Sender& sender) {
    call_ = nullptr;
    sender_ = sender;
    call_id_ = message.call_id();
    if (call_id_.empty()) return {};
    const bool request = message.is_request();
    const bool invite = request && message.method() == "INVITE";
    if (message.body().empty() && !invite && calls_.find(call_id_) == nullptr) return {};
    call_ = &calls_.touch(call_id_);
    if (auto followed = follow(message); !followed || call_ == nullptr) return followed;
    const std::string tag = message.from_tag();
    if (call_->first_tag.empty() && !message.body().empty()) call_->first_tag = request ? tag : message.to_tag();
    side_ = request == (tag == call_->first_tag) ? 0 : 1;
    const std::string cseq(message.value(sip::Name::cseq));
    transaction_ = cseq + (request ? " request" : " response " + message.to_tag());
    final_ = request ? message.method() == "ACK" : message.status() >= 200;
    const bool late = !call_->late.empty() && cseq.substr(0, cseq.find(' ')) == call_->late;
    offers_ = request ? message.method() != "ACK" && !late : late;
    return {};
}

/// What a message makes of the call: answered, refused, over. A refusal ends a call that nobody has answered once it is
/// the last of its branches; afterwards it only means that an offer was rejected (RFC 3261 section 14.1). A CANCEL ends
/// nothing: the 487 that follows does, or a 2xx was faster.
Result<void> Relay::follow(const sip::Message& message) {
    const auto over = [&]() -> Result<void> {
        const bool any = std::ranges::any_of(call_->streams, [](const Stream& stream) {
            return stream.now.legs[0] || stream.now.legs[1] || stream.agreed;
        });
        call_ = nullptr;
        calls_.erase(call_id_);
        if (!any) return {};
        const auto freed = ask("free", {{"call_id", call_id_}});
        return freed ? Result<void>() : std::unexpected(freed.error());
    };
    const auto& cseq = message.cseq();
    if (message.is_request()) {
        if (message.method() == "BYE") return over();
        if (message.method() != "INVITE") return {};
        if (!call_->answered && call_->branches.size() < most_branches) call_->branches.insert(branch_of(message));
        if (message.body().empty() && cseq) call_->late = std::to_string(cseq->number);
        return {};
    }
    const int status = message.status();
    const bool invite = cseq && cseq->method == "INVITE";
    if (status < 200 || !cseq || (!invite && cseq->method != "UPDATE")) return {};
    if (status < 300) {
        call_->answered = call_->answered || invite;
        call_->branches.clear();
        // Else it is settled once the description has been read.
        return message.body().empty() ? settle(true) : Result<void>();
    }
    if (call_->answered || !invite) return settle(false);
    call_->branches.erase(branch_of(message));
    return status != 401 && status != 407 && call_->branches.empty() ? over() : Result<void>();
}

/// An offer was accepted, or not: what it replaced goes, or what it brought.
Result<void> Relay::settle(bool accepted) {
    for (Stream& stream : call_->streams) {
        if (!accepted && !stream.agreed) continue;
        if (!accepted) {
            if (auto back = go_back(stream); !back) return back;
            continue;
        }
        if (stream.agreed && !same_legs(*stream.agreed, stream.now)) {
            if (auto freed = free_pair(*stream.agreed); !freed) return freed;
        }
        stream.agreed = stream.now;
    }
    return {};
}

/// The relay is told again what was agreed before.
Result<void> Relay::go_back(Stream& stream) {
    Pair agreed = *stream.agreed;
    if (!same_legs(agreed, stream.now)) {
        if (auto freed = free_pair(stream.now); !freed) return freed;
    } else {
        agreed.joined = stream.now.joined;
        for (std::size_t side = 0; side < 2; ++side) {
            if (!agreed.legs[side]) continue;
            const Leg& now = *stream.now.legs[side];
            const Leg& then = *agreed.legs[side];
            if (then.party.empty() || (now.party == then.party && now.hold == then.hold)) continue;
            const auto updated =
                ask("update", {{"leg", then.id}, {"party", Json::parse(then.party)}, {"hold", then.hold}});
            if (!updated && updated.error().code != Errc::not_found) return std::unexpected(updated.error());
        }
    }
    stream.now = std::move(agreed);
    return {};
}

Result<void> Relay::free_pair(Pair& pair) {
    Json legs = Json::array();
    for (const auto& leg : pair.legs) {
        if (leg) legs.push_back(leg->id);
    }
    pair = {.kind = pair.kind};
    if (legs.empty()) return {};
    const auto freed = ask("free", {{"legs", std::move(legs)}});
    return freed || freed.error().code == Errc::not_found ? Result<void>() : std::unexpected(freed.error());
}

/// Where the sender's media for a stream comes from and goes to.
Json Relay::party_of(const sdp::Document& document, const sdp::Media& media) const {
    const auto rtp = document.rtp_endpoint(media);
    Json party = Json::object();
    std::string place = sender_.place;
    if (const auto known = nat::parse_place(place); known && rtp && sender_.source)
        place = nat::to_string(nat::media_place(*known, sender_.source->address, rtp->address, networks_));
    if (!place.empty()) party["place"] = place;
    if (rtp && !rtp->address.is_unspecified()) {
        party["endpoint"] = to_string(*rtp);
        if (const auto rtcp = document.rtcp_endpoint(media)) party["rtcp"] = to_string(*rtcp);
    }
    if (sender_.source) party["visible"] = to_string(sender_.source->address);
    return party;
}

/// A leg for the sender (`own`) or for who is going to get the message.
Result<Relay::Leg> Relay::open(const sdp::Document& document, const sdp::Media& media, const Pair& pair, bool own) {
    const auto& seen = own ? sender_.source : sender_.destination;
    const bool lan =
        own && !sender_.place.empty() ? sender_.place == "lan" : seen && networks_.lan.contains(seen->address);
    const auto rtp = document.rtp_endpoint(media);
    const Family family = seen ? seen->address.family() : rtp ? rtp->address.family() : Family::ipv4;
    Json params = {{"stream", relay::to_string(pair.kind)},
                   {"side", lan ? "lan" : "wan"},
                   {"family", to_string(family)},
                   {"mux", media.rtcp_mux},
                   {"call_id", call_id_}};
    const auto reply = ask("open", params);
    if (!reply) return std::unexpected(reply.error());
    const auto local = endpoint_at(*reply, "local");
    if (!local) return std::unexpected(local.error());
    const auto id = reply->find("leg");
    if (id == reply->end() || !id->is_string()) return fail(Errc::bad_input, "the relay's answer has no leg");
    Leg leg{.id = id->get<std::string>(), .local = *local, .rtcp = {}, .party = {}};
    if (reply->contains("rtcp") && !media.rtcp_mux) {
        const auto rtcp = endpoint_at(*reply, "rtcp");
        if (!rtcp) return std::unexpected(rtcp.error());
        leg.rtcp = *rtcp;
    }
    return leg;
}

/// RFC 4145 section 4: what the offer leaves open, the answer decides, also for who made the offer.
void Relay::agree_who_connects(Pair& pair, const sdp::Media& media) {
    const auto said = dialog::role_in(media, offers_);
    if (!said) return;
    pair.setup[side_] = said;
    auto& other = pair.setup[1 - side_];
    if (offers_ || (other && *other != sdp::Setup::actpass)) return;
    if (said == sdp::Setup::active) other = sdp::Setup::passive;
    if (said == sdp::Setup::passive) other = sdp::Setup::active;
}

/// Tells the relay what the sender says of itself, and of the other one where that follows.
Result<void> Relay::tell(Pair& pair, const sdp::Document& document, const sdp::Media& media) {
    agree_who_connects(pair, media);
    for (const std::size_t side : {side_, 1 - side_}) {
        Leg& leg = *pair.legs[side];
        const bool own = side == side_;
        Json update = {{"leg", leg.id}};
        Json party = own ? party_of(document, media) : Json::parse(leg.party.empty() ? "{}" : leg.party);
        if (pair.setup[side] && party.contains("endpoint")) party["setup"] = sdp::to_string(*pair.setup[side]);
        const std::string text = party.dump();
        if (party.contains("endpoint") && (own || text != leg.party)) update["party"] = party;
        if (own) update["hold"] = document.on_hold(media);
        if (own && offers_ && media.setup && relay::is_tcp(pair.kind) && pair.joined)  // RFC 4145 section 5
            update["connection"] = media.connection_existing ? "existing" : "new";
        if (update.size() < 2) continue;
        const auto updated = ask("update", update);
        if (!updated) return std::unexpected(updated.error());
        if (update.contains("party")) leg.party = text;
        if (own) leg.hold = document.on_hold(media);
    }
    return {};
}

Result<void> Relay::prepare(Stream& stream, const sdp::Document& document, const sdp::Media& media) {
    Pair& pair = stream.now;
    const bool described = call_->seen[side_] != transaction_;
    for (unsigned attempt = 0;; ++attempt) {
        for (const std::size_t side : {side_, 1 - side_}) {
            if (pair.legs[side]) continue;
            auto leg = open(document, media, pair, side == side_);
            if (!leg) return std::unexpected(leg.error());
            pair.legs[side] = *std::move(leg);
        }
        if (!described && attempt == 0) break;
        const auto told = tell(pair, document, media);
        if (told) break;
        if (told.error().code != Errc::not_found || attempt > 0) return told;
        if (auto freed = free_pair(pair); !freed) return freed;  // the relay has given them up: others
    }
    if (!pair.joined && !pair.legs[0]->party.empty() && !pair.legs[1]->party.empty()) {
        const auto joined = ask("join", {{"a", pair.legs[0]->id}, {"b", pair.legs[1]->id}});
        if (!joined) return std::unexpected(joined.error());
        pair.joined = true;
    }
    return {};
}

Result<std::optional<sdp::MediaTarget>> Relay::target(Stream& stream, const sdp::Document& document,
                                                      const sdp::Media& media) {
    if (media.rejected()) {  // an offer of port 0 may itself be refused: the answer to it counts
        if (!final_ || offers_) return std::nullopt;
        if (auto freed = free_pair(stream.now); !freed) return std::unexpected(freed.error());
        return std::nullopt;
    }
    // A far-end party's address is learned from its packets; where others are is not to be found out here.
    if (media.connection && !document.address(*media.connection) && sender_.place != "far-end") {
        return fail(Errc::refused, "c= holds a name, which is not looked up here: '" +
                                       text::printable(document.text(media.connection->address), 60) + "'");
    }
    if (media.port_count != 1)
        return fail(Errc::refused,
                    "the relay has one port for each stream, and this one wants " + std::to_string(media.port_count));
    const relay::Stream kind = dialog::kind_of(media);
    if (has_legs(stream.now) && stream.now.kind != kind) {
        const bool kept = stream.agreed && same_legs(*stream.agreed, stream.now);
        if (!kept) {
            if (auto freed = free_pair(stream.now); !freed) return std::unexpected(freed.error());
        }
        stream.now = {};
    }
    stream.now.kind = kind;
    if (auto ready = prepare(stream, document, media); !ready) return std::unexpected(ready.error());
    const Leg& shown = *stream.now.legs[1 - side_];
    sdp::MediaTarget target{.rtp = shown.local, .rtcp = shown.rtcp};
    // Who is behind a NAT can connect and cannot listen: the choice is made for it.
    if (offers_ && relay::is_tcp(kind) && sender_.place == "far-end" && media.setup == sdp::Setup::actpass)
        target.setup = sdp::Setup::active;
    return target;
}

Result<std::vector<std::optional<sdp::MediaTarget>>> Relay::targets(const sdp::Document& document) {
    std::vector<std::optional<sdp::MediaTarget>> all(document.media().size());
    if (call_ == nullptr) return all;
    if (all.size() > most_streams)
        return fail(Errc::refused, "more than 64 streams",
                    "sdp:" + std::to_string(document.media()[most_streams].line + 1));
    if (call_->streams.size() < all.size()) call_->streams.resize(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        const sdp::Media& media = document.media()[i];
        if (media.bundled_with) {  // RFC 9143: another's port carries it
            const bool agreed = final_ && !offers_;
            if (auto freed = agreed ? free_pair(call_->streams[i].now) : Result<void>(); !freed)
                return std::unexpected(freed.error());
            continue;
        }
        auto one = target(call_->streams[i], document, media);
        if (!one) return fail(one.error().code, one.error().message, "sdp:" + std::to_string(media.line + 1));
        all[i] = *one;
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (document.media()[i].bundled_with) all[i] = all[*document.media()[i].bundled_with];
    }
    call_->seen[side_] = transaction_;
    if (final_ && !offers_) {
        if (auto settled = settle(true); !settled) return std::unexpected(settled.error());
    }
    return all;
}

}  // namespace natkit::rewrite
