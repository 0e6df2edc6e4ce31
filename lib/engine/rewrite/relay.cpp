#include "natkit/engine/rewrite/relay.hpp"

#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/dialog/stream_kind.hpp"
#include "natkit/nat/classify.hpp"
#include "relayed_call.hpp"

namespace natkit::rewrite {
namespace {

constexpr std::size_t most_streams = 64;
constexpr unsigned most_attempts = 6;

}  // namespace

struct Relay::Impl {
    ControlLink link;
    nat::Networks networks;
    // The message in hand:
    std::optional<sip::Message> message;  ///< nothing: its call has no legs, and needs none
    Sender sender;
    std::optional<RelayedCall> call;
    Reading reading;

    Impl(const std::string& socket, nat::Networks of) : link(socket), networks(std::move(of)) {}

    using Targets = std::vector<std::optional<sdp::MediaTarget>>;
    [[nodiscard]] Result<void> read_message();
    [[nodiscard]] Result<Targets> targets(const sdp::Document& document);
    [[nodiscard]] Result<void> check(const sdp::Document& document, const sdp::Media& media) const;
    [[nodiscard]] Result<void> open_legs(const sdp::Document& document);
    [[nodiscard]] Result<void> open_leg(const sdp::Document& document, std::size_t stream, std::size_t side);
    void describe(CallLeg& own, CallLeg& other, const sdp::Document& document, const sdp::Media& media);
    void tell(CallLeg& own, CallLeg& other, const sdp::Document& document, const sdp::Media& media);
    [[nodiscard]] Json party_of(const sdp::Document& document, const sdp::Media& media) const;
    [[nodiscard]] sdp::MediaTarget target(const CallLeg& shown, const sdp::Media& media) const;
};

Relay::Relay(const std::string& socket, nat::Networks networks)
    : impl_(std::make_unique<Impl>(socket, std::move(networks))) {}
Relay::~Relay() = default;

/// Finds the call, and does to its legs what the message means whatever it describes.
Result<void> Relay::Impl::read_message() {
    if (auto loaded = call->load(); !loaded) return loaded;
    reading = read(call->call().state, *message, !call->call().legs.empty());
    if (reading.establishes) call->establish(reading.exchange);
    switch (reading.outcome) {
        case Outcome::none: break;
        case Outcome::accepted: call->accept(reading.exchange); break;
        case Outcome::ended: call->discard_all(); break;
        case Outcome::rolled_back: call->roll_back(reading.exchange); break;
    }
    return call->save();
}

Result<void> Relay::on_message(const sip::Message& message, const Sender& sender) {
    impl_->message.reset();
    if (!concerns_media(message) || message.call_id().empty()) return {};
    impl_->message = message;
    impl_->sender = sender;
    impl_->call.emplace(impl_->link, std::string(message.call_id()));
    for (unsigned attempt = 1;; ++attempt) {
        auto done = impl_->read_message();
        if (done) return done;
        if (!impl_->call->outdated() || attempt == most_attempts) return fail(done.error().code, done.error().message);
    }
}

Result<std::vector<std::optional<sdp::MediaTarget>>> Relay::targets(const sdp::Document& document) {
    if (!impl_->message || !impl_->reading.negotiates)
        return std::vector<std::optional<sdp::MediaTarget>>(document.media().size());
    if (document.media().size() > most_streams)
        return fail(Errc::refused, "more than 64 streams",
                    "sdp:" + std::to_string(document.media()[most_streams].line + 1));
    Result<void> read;  // by on_message()
    for (unsigned attempt = 1;; ++attempt) {
        auto all = read ? impl_->targets(document) : Result<Impl::Targets>(std::unexpected(read.error()));
        if (all || !impl_->call->outdated() || attempt == most_attempts) return all;
        read = impl_->read_message();
    }
}

/// What the relay cannot do for a stream.
Result<void> Relay::Impl::check(const sdp::Document& document, const sdp::Media& media) const {
    // A far-end party's address is learned from its packets; where others are is not to be found out here.
    if (media.connection && !document.address(*media.connection) && sender.place != "far-end") {
        return fail(Errc::refused, "c= holds a name, which is not looked up here: '" +
                                       text::printable(document.text(media.connection->address), 60) + "'");
    }
    if (media.port_count != 1)
        return fail(Errc::refused,
                    "the relay has one port for each stream, and this one wants " + std::to_string(media.port_count));
    return {};
}

Result<Relay::Impl::Targets> Relay::Impl::targets(const sdp::Document& document) {
    if (!reading.other_dialog) {
        if (auto opened = open_legs(document); !opened) {
            call->undo_opened();
            return std::unexpected(opened.error());
        }
        if (auto confirmed = call->confirm_opened(); !confirmed) return std::unexpected(confirmed.error());
    }
    Targets all(document.media().size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        const sdp::Media& media = document.media()[i];
        if (media.rejected() || media.bundled_with) continue;
        const relay::Stream kind = dialog::kind_of(media);
        CallLeg* own = call->call().find(i, reading.side, kind);
        CallLeg* other = call->call().find(i, 1 - reading.side, kind);
        if (own != nullptr && other != nullptr) {
            if (!reading.other_dialog) describe(*own, *other, document, media);
            all[i] = target(*other, media);
        } else if (!reading.other_dialog) {
            return call->changed_elsewhere();
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (document.media()[i].bundled_with) all[i] = all[*document.media()[i].bundled_with];
    }
    if (reading.other_dialog) return all;
    if (reading.concludes) call->accept(reading.exchange);
    if (!reading.nothing_new) call->call().state.described[reading.side] = reading.transaction;
    if (auto saved = call->save(); !saved) {
        const auto stream = call->failed_stream();
        const bool here = stream && *stream < all.size();
        return fail(saved.error().code, saved.error().message,
                    here ? "sdp:" + std::to_string(document.media()[*stream].line + 1) : std::string());
    }
    return all;
}

/// The legs that the streams of a description need; those that they no longer need go, once it is an answer that
/// counts: an offer of port 0 may itself be refused.
Result<void> Relay::Impl::open_legs(const sdp::Document& document) {
    const auto at = [&](const Error& error, std::size_t stream) {
        return fail(error.code, error.message, "sdp:" + std::to_string(document.media()[stream].line + 1));
    };
    for (std::size_t i = 0; i < document.media().size(); ++i) {
        const sdp::Media& media = document.media()[i];
        if (media.rejected() || media.bundled_with) continue;
        if (auto checked = check(document, media); !checked) return at(checked.error(), i);
    }
    for (std::size_t i = 0; i < document.media().size(); ++i) {
        const sdp::Media& media = document.media()[i];
        if (media.rejected() || media.bundled_with) {  // RFC 9143: another's port carries it
            if (reading.concludes) call->discard_stream(i);
            continue;
        }
        const relay::Stream kind = dialog::kind_of(media);
        if (!reading.nothing_new) call->discard_offered(i, kind);
        for (const std::size_t side : {reading.side, 1 - reading.side}) {
            if (call->call().find(i, side, kind) != nullptr) continue;
            if (auto opened = open_leg(document, i, side); !opened) return at(opened.error(), i);
        }
    }
    return {};
}

/// A leg for the sender, or for who is going to get the message.
Result<void> Relay::Impl::open_leg(const sdp::Document& document, std::size_t stream, std::size_t side) {
    const sdp::Media& media = document.media()[stream];
    const bool own = side == reading.side;
    const auto& seen = own ? sender.source : sender.destination;
    const bool lan =
        own && !sender.place.empty() ? sender.place == "lan" : seen && networks.lan.contains(seen->address);
    const auto rtp = document.rtp_endpoint(media);
    const Family family = seen ? seen->address.family() : rtp ? rtp->address.family() : Family::ipv4;
    // What is neither offer nor answer can have no outcome: its legs are there for good.
    const std::uint64_t exchange = reading.role == dialog::Role::neither ? 0 : reading.exchange;
    return call->open(stream, side, dialog::kind_of(media), exchange,
                      {{"side", lan ? "lan" : "wan"}, {"family", to_string(family)}, {"mux", media.rtcp_mux}});
}

/// Where the sender's media for a stream comes from and goes to.
Json Relay::Impl::party_of(const sdp::Document& document, const sdp::Media& media) const {
    const auto rtp = document.rtp_endpoint(media);
    Json party = Json::object();
    std::string place = sender.place;
    if (const auto known = nat::parse_place(place); known && rtp && sender.source)
        place = nat::to_string(nat::media_place(*known, sender.source->address, rtp->address, networks));
    if (!place.empty()) party["place"] = place;
    if (rtp && !rtp->address.is_unspecified()) {
        party["endpoint"] = to_string(*rtp);
        if (const auto rtcp = document.rtcp_endpoint(media)) party["rtcp"] = to_string(*rtcp);
    }
    if (sender.source) party["visible"] = to_string(sender.source->address);
    return party;
}

/// Tells the legs of a stream what the sender says of itself, and of the other one where that follows; joins them once
/// both are known.
void Relay::Impl::describe(CallLeg& own, CallLeg& other, const sdp::Document& document, const sdp::Media& media) {
    if (!reading.nothing_new) tell(own, other, document, media);
    if (!own.party.is_null() && !other.party.is_null()) call->join(own, other);
}

void Relay::Impl::tell(CallLeg& own, CallLeg& other, const sdp::Document& document, const sdp::Media& media) {
    Json party = party_of(document, media);
    Json opposite = other.party;
    if (const auto said = dialog::role_in(media, reading.offers()); said && party.contains("endpoint")) {
        party["setup"] = sdp::to_string(*said);
        // RFC 4145 section 4: what the offer leaves open, the answer decides, also for who made the offer.
        const bool open = opposite.is_object() && (!opposite.contains("setup") || opposite["setup"] == "actpass");
        if (!reading.offers() && open && said == sdp::Setup::active) opposite["setup"] = "passive";
        if (!reading.offers() && open && said == sdp::Setup::passive) opposite["setup"] = "active";
    }
    Json changes = {{"hold", document.on_hold(media)}};
    if (party.contains("endpoint")) changes["party"] = party;
    if (reading.offers() && media.setup && relay::is_tcp(own.kind) && own.joined == other.id)  // RFC 4145 section 5
        changes["connection"] = media.connection_existing ? "existing" : "new";
    if (!reading.sender_tag.empty()) own.tag = reading.sender_tag;
    if (!reading.concludes) RelayedCall::note_change(own, reading.exchange);
    RelayedCall::change(own, changes);
    if (opposite == other.party) return;
    if (!reading.concludes) RelayedCall::note_change(other, reading.exchange);
    RelayedCall::change(other, {{"party", opposite}});
}

/// How the other party is shown the sender's stream.
sdp::MediaTarget Relay::Impl::target(const CallLeg& shown, const sdp::Media& media) const {
    sdp::MediaTarget target{.rtp = shown.local, .rtcp = shown.rtcp};
    // Who is behind a NAT can connect and cannot listen: the choice is made for it.
    if (reading.offers() && relay::is_tcp(shown.kind) && sender.place == "far-end" &&
        media.setup == sdp::Setup::actpass)
        target.setup = sdp::Setup::active;
    return target;
}

}  // namespace natkit::rewrite
