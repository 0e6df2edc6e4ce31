#include "natkit/engine/rewrite/relay.hpp"

#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/loop/roles.hpp"
#include "party.hpp"
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

    bool saved = true;  ///< what the message itself has changed is at mediarelay

    using Targets = std::vector<std::optional<sdp::MediaTarget>>;
    [[nodiscard]] Result<void> read_message();
    [[nodiscard]] Result<void> save_message();
    [[nodiscard]] Result<Targets> targets(const sdp::Document& document);
    [[nodiscard]] Result<void> check(const sdp::Document& document, const sdp::Media& media) const;
    [[nodiscard]] Result<void> open_legs(const sdp::Document& document);
    [[nodiscard]] Result<void> open_leg(const dialog::Described& said, std::size_t stream, std::size_t side);
    void tell(CallLeg& own, CallLeg& other, const dialog::Described& said);
    void agree_on_mux(CallLeg& own, CallLeg& other, const dialog::Described& said);
    void tell(CallLeg& leg, Json changes);
    [[nodiscard]] sdp::MediaTarget target(const CallLeg& shown, const dialog::Described& said) const;
    /// What a stream of the message says.
    [[nodiscard]] dialog::Described described(const sdp::Document& document, const sdp::Media& media) const {
        return dialog::describe(document, media, reading.offers());
    }
};

Relay::Relay(const std::string& socket, nat::Networks networks)
    : impl_(std::make_unique<Impl>(socket, std::move(networks))) {}
Relay::~Relay() = default;

/// Finds the call, and what the message means for its legs whatever it describes.
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
    saved = false;
    return {};
}

Result<void> Relay::Impl::save_message() {
    if (auto done = call->save(); !done) return done;
    saved = true;
    return {};
}

Result<void> Relay::on_message(const sip::Message& message, const Sender& sender) {
    impl_->message.reset();
    impl_->saved = true;
    if (!concerns_media(message) || message.call_id().empty()) return {};
    impl_->message = message;
    impl_->sender = sender;
    impl_->call.emplace(impl_->link, std::string(message.call_id()));
    if (auto read = impl_->read_message(); !read) return fail(read.error().code, read.error().message);
    return {};
}

Result<void> Relay::end_message() {
    for (unsigned attempt = 1; !impl_->saved; ++attempt) {
        const auto done = impl_->save_message();
        if (done) break;
        if (!impl_->call->outdated() || attempt == most_attempts) {
            impl_->saved = true;
            return fail(done.error().code, done.error().message);
        }
        if (auto read = impl_->read_message(); !read) return fail(read.error().code, read.error().message);
    }
    return {};
}

Result<std::vector<std::optional<sdp::MediaTarget>>> Relay::targets(const sdp::Document& document) {
    if (!impl_->message || !impl_->reading.negotiates)
        return std::vector<std::optional<sdp::MediaTarget>>(document.media().size());
    if (document.media().size() > most_streams)
        return fail(Errc::refused, "more than 64 streams",
                    "sdp:" + std::to_string(document.media()[most_streams].line + 1));
    Result<void> read;  // by on_message()
    for (unsigned attempt = 1;; ++attempt) {
        std::string& taken = impl_->call->call().state.described[impl_->reading.side];
        const std::string before = taken;
        auto all = read ? impl_->targets(document) : Result<Impl::Targets>(std::unexpected(read.error()));
        if (!all) taken = before;
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
        if (!reading.nothing_new) call->call().state.described[reading.side] = reading.transaction;
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
        const dialog::Described said = described(document, media);
        CallLeg* own = call->call().find(i, reading.side, said.kind);
        CallLeg* other = call->call().find(i, 1 - reading.side, said.kind);
        if (own != nullptr && other != nullptr) {
            if (!reading.other_dialog && !reading.nothing_new) tell(*own, *other, said);
            if (!reading.other_dialog && !own->party.is_null() && !other->party.is_null()) call->join(*own, *other);
            all[i] = target(*other, said);
        } else if (!reading.other_dialog) {
            return call->changed_elsewhere();
        }
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (document.media()[i].bundled_with) all[i] = all[*document.media()[i].bundled_with];
    }
    if (reading.other_dialog) return all;
    if (reading.concludes) call->accept(reading.exchange);
    if (auto done = save_message(); !done) {
        const auto stream = call->failed_stream();
        const bool here = stream && *stream < all.size();
        return fail(done.error().code, done.error().message,
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
        const dialog::Described said = described(document, media);
        if (!reading.nothing_new) call->discard_offered(i, said.kind);
        for (const std::size_t side : {reading.side, 1 - reading.side}) {
            if (call->call().find(i, side, said.kind) != nullptr) continue;
            if (auto opened = open_leg(said, i, side); !opened) return at(opened.error(), i);
        }
    }
    return {};
}

/// A leg for the sender, or for who is going to get the message.
Result<void> Relay::Impl::open_leg(const dialog::Described& said, std::size_t stream, std::size_t side) {
    const bool own = side == reading.side;
    // What is neither offer nor answer can have no outcome: its legs are there for good.
    const std::uint64_t exchange = reading.role == dialog::Role::neither ? 0 : reading.exchange;
    Json params = side_of_leg(sender, own, said, networks);
    params["mux"] = said.mux;
    if (own && said.rtp && exchange != 0) params["party"] = party_of(sender, said, networks);
    return call->open({.id = {},
                       .kind = said.kind,
                       .local = {},
                       .rtcp = {},
                       .party = {},
                       .joined = {},
                       .stream = stream,
                       .side = side,
                       .tag = own ? reading.sender_tag : std::string(),
                       .said_mux = own && said.mux,
                       .opened_by = exchange,
                       .agreed = {},
                       .kept = {}},
                      std::move(params));
}

/// Tells the legs of a stream what the sender says of itself, and of the other one where that follows.
void Relay::Impl::tell(CallLeg& own, CallLeg& other, const dialog::Described& said) {
    Json changes = {{"hold", said.hold}};
    if (said.rtp) changes["party"] = party_of(sender, said, networks);
    if (reading.offers() && said.renew && own.joined == other.id) changes["connection"] = "new";  // RFC 4145 section 5
    if (!reading.sender_tag.empty()) own.tag = reading.sender_tag;
    // RFC 4145 section 4: what the offer leaves open, the answer decides, also for who made the offer.
    const auto shown = shown_setup(sender, reading.offers(), said, other.party, networks);
    tell(own, std::move(changes));
    if (said.kind == relay::Stream::rtp) agree_on_mux(own, other, said);
    if (!shown || reading.offers() || !said.rtp || !other.party.is_object()) return;
    Json opposite = other.party;
    opposite["setup"] = sdp::to_string(loop::left_by(*shown));
    tell(other, {{"party", std::move(opposite)}});
}

/// RFC 5761 section 5.1.1: RTCP shares the RTP port where both ends say so.
void Relay::Impl::agree_on_mux(CallLeg& own, CallLeg& other, const dialog::Described& said) {
    own.said_mux = said.mux;
    if (reading.offers()) return;
    for (CallLeg* leg : {&own, &other}) tell(*leg, {{"mux", own.said_mux && other.said_mux}});
}

void Relay::Impl::tell(CallLeg& leg, Json changes) {
    RelayedCall::drop_known(leg, changes);
    if (changes.empty()) return;
    if (!reading.concludes) RelayedCall::note_change(leg, reading.exchange);
    RelayedCall::change(leg, changes);
}

/// How the other party is shown the sender's stream.
sdp::MediaTarget Relay::Impl::target(const CallLeg& shown, const dialog::Described& said) const {
    sdp::MediaTarget target{.rtp = shown.local, .rtcp = shown.rtcp};
    const auto setup = shown_setup(sender, reading.offers(), said, shown.party, networks);
    if (setup != said.setup) target.setup = setup;
    return target;
}

}  // namespace natkit::rewrite
