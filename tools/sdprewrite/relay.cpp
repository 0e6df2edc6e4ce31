#include "sdprewrite/relay.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "natkit/engine/control/client.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/nat/classify.hpp"

namespace natkit::sdprewrite {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_calls = 65'536;
constexpr std::size_t most_streams = 64;

Result<Endpoint> endpoint_at(const Json& reply, const char* key) {
    const auto found = reply.find(key);
    if (found == reply.end() || !found->is_string())
        return fail(Errc::bad_input, std::string("the relay's answer has no ") + key);
    return Endpoint::parse(found->get<std::string>());
}

bool ends_call(const sip::Message& message) {
    if (message.is_request()) return message.method() == "BYE" || message.method() == "CANCEL";
    const auto cseq = message.cseq();
    const int status = message.status();
    return cseq && cseq->method == "INVITE" && status >= 300 && status != 401 && status != 407;
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
    : link_(std::make_unique<Link>(socket)), networks_(std::move(networks)) {}
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

Result<void> Relay::begin(const sip::Message& message, const Sender& sender) {
    call_ = nullptr;
    sender_ = sender;
    call_id_ = message.call_id();
    if (call_id_.empty()) return {};
    const auto found = calls_.find(call_id_);
    if (ends_call(message)) {
        if (found == calls_.end()) return {};
        calls_.erase(found);
        const auto freed = ask("free", {{"call_id", call_id_}});
        return freed ? Result<void>() : std::unexpected(freed.error());
    }
    if (message.body().empty()) return {};
    if (found == calls_.end() && calls_.size() >= most_calls) return fail(Errc::exhausted, "more than 65536 calls");
    call_ = &calls_[call_id_];
    const std::string tag = message.from_tag();
    if (found == calls_.end()) call_->caller_tag = message.is_request() ? tag : message.to_tag();
    side_ = message.is_request() == (tag == call_->caller_tag) ? 0 : 1;
    transaction_ = std::string(message.value(sip::Name::cseq)) + (message.is_request() ? " request" : " response");
    return {};
}

/// Where the sender's media for a stream comes from and goes to.
Json Relay::party_of(const sdp::Document& document, const sdp::Media& media) const {
    const auto rtp = document.rtp_endpoint(media);
    Json party = Json::object();
    std::string place = sender_.place;
    // A party on the WAN that names a private address is behind a NAT for its media.
    if (place == "wan" && rtp && sender_.source && rtp->address != sender_.source->address &&
        (networks_.nated.contains(rtp->address) || networks_.lan.contains(rtp->address))) {
        place = "far-end";
    }
    if (!place.empty()) party["place"] = place;
    if (rtp && !rtp->address.is_unspecified()) {
        party["endpoint"] = to_string(*rtp);
        if (const auto rtcp = document.rtcp_endpoint(media)) party["rtcp"] = to_string(*rtcp);
    }
    if (sender_.source) party["visible"] = to_string(sender_.source->address);
    return party;
}

/// A leg for the sender (`own`) or for who is going to get the message.
Result<Relay::Leg> Relay::open(const sdp::Document& document, const sdp::Media& media, bool own) {
    const auto& seen = own ? sender_.source : sender_.destination;
    const bool lan =
        own && !sender_.place.empty() ? sender_.place == "lan" : seen && networks_.lan.contains(seen->address);
    const auto rtp = document.rtp_endpoint(media);
    const Family family = seen ? seen->address.family() : rtp ? rtp->address.family() : Family::ipv4;
    Json params = {{"stream", media.rtp() ? "rtp" : "udp"},
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
    Leg leg{.id = id->get<std::string>(), .local = *local, .rtcp = {}};
    if (reply->contains("rtcp") && !media.rtcp_mux) {
        const auto rtcp = endpoint_at(*reply, "rtcp");
        if (!rtcp) return std::unexpected(rtcp.error());
        leg.rtcp = *rtcp;
    }
    return leg;
}

Result<void> Relay::prepare(Stream& stream, const sdp::Document& document, const sdp::Media& media) {
    for (const std::size_t side : {side_, 1 - side_}) {
        if (stream.legs[side]) continue;
        auto leg = open(document, media, side == side_);
        if (!leg) return std::unexpected(leg.error());
        stream.legs[side] = *std::move(leg);
    }
    Leg& own = *stream.legs[side_];
    const Json party = party_of(document, media);
    if (call_->seen[side_] != transaction_ && party.contains("endpoint")) {
        const auto updated = ask("update", {{"leg", own.id}, {"party", party}, {"hold", document.on_hold(media)}});
        if (!updated) return std::unexpected(updated.error());
        own.has_party = true;
    }
    if (!stream.joined && stream.legs[0]->has_party && stream.legs[1]->has_party) {
        const auto joined = ask("join", {{"a", stream.legs[0]->id}, {"b", stream.legs[1]->id}});
        if (!joined) return std::unexpected(joined.error());
        stream.joined = true;
    }
    return {};
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
        const std::string where = "sdp:" + std::to_string(media.line + 1);
        if (media.rejected()) continue;
        if (media.tcp()) return fail(Errc::refused, "the relay has no legs for TCP media here", where);
        if (media.port_count != 1)
            return fail(
                Errc::refused,
                "the relay has one port for each stream, and this one wants " + std::to_string(media.port_count),
                where);
        if (auto ready = prepare(call_->streams[i], document, media); !ready)
            return fail(ready.error().code, ready.error().message, where);
        const Leg& shown = *call_->streams[i].legs[1 - side_];
        all[i] = sdp::MediaTarget{.rtp = shown.local, .rtcp = shown.rtcp};
    }
    call_->seen[side_] = transaction_;
    return all;
}

}  // namespace natkit::sdprewrite
