#include "natkit/sdp/rewrite.hpp"

#include <algorithm>
#include <utility>

#include "ice.hpp"
#include "natkit/base/text.hpp"
#include "refuse.hpp"

namespace natkit::sdp {
namespace {

using Targets = std::span<const std::optional<MediaTarget>>;

const char* family_word(const IpAddress& address) {
    return address.is_v4() ? "IP4" : "IP6";
}

std::string network_words(const IpAddress& address) {
    return std::string(family_word(address)) + " " + to_string(address);
}

class Rewriter {
  public:
    Rewriter(const Document& document, Targets targets, const Options& options)
        : doc_(document), targets_(targets), options_(options) {}

    Result<Rewritten> run();

  private:
    [[nodiscard]] std::optional<Error> refusal() const;

    [[nodiscard]] bool changes(std::size_t i) const { return targets_[i] && !doc_.media()[i].rejected(); }
    /// Whether stream i is to show its target's address in c=.
    [[nodiscard]] bool shows_address(std::size_t i) const {
        if (!targets_[i] || keeps_zero(doc_.media()[i])) return false;
        return !doc_.media()[i].rejected() || (options_.hide_rejected && doc_.media()[i].own_connection);
    }
    [[nodiscard]] bool keeps_zero(const Media& media) const {
        return doc_.zero_address_hold(media) && !options_.replace_zero_address;
    }
    [[nodiscard]] bool all_relayed() const;

    [[nodiscard]] Span span_of(std::string_view part) const {
        return {static_cast<std::size_t>(part.data() - doc_.text().data()), part.size()};
    }
    void edit(const Span& span, std::size_t line, std::string after, EditReason reason);
    void insert_after(std::size_t line, const std::string& text, EditReason reason);
    void remove_line(std::size_t line, EditReason reason);
    void edit_address(const Field& field, const IpAddress& address, EditReason reason);
    void edit_zero(const Field& connection, const IpAddress& address);

    void rewrite_session();
    void rewrite_session_connection();
    void rewrite_media(std::size_t i);
    void rewrite_connection(std::size_t i);
    void rewrite_port(const Media& media, const MediaTarget& target);
    void rewrite_mux(const Media& media, bool mux);
    void rewrite_rtcp(const Media& media, const MediaTarget& target);
    void edit_rtcp(const Field& field, const Endpoint& rtcp, const IpAddress& address);
    void rewrite_setup(const Media& media, const MediaTarget& target);
    void rewrite_direction(const Media& media);
    void rewrite_fields(const Media& media, const MediaTarget& target);
    void rewrite_filter(std::size_t index, const IpAddress& address);
    void remove_ice(std::size_t first, std::size_t last);
    void add_candidates(const Media& media, const MediaTarget& target);
    void apply(Rewritten& result);

    [[nodiscard]] std::size_t line_before_attributes(const Media& media) const;

    const Document& doc_;
    Targets targets_;
    Options options_;
    std::vector<Edit> edits_;
    std::size_t field_ = 0;                     ///< next of doc_.fields() that no earlier section took
    std::optional<IpAddress> session_address_;  ///< what the session's c= says in the end, where that is a target's
};

Result<Rewritten> Rewriter::run() {
    if (targets_.size() != doc_.media().size()) {
        return fail(Errc::usage,
                    "there are " + std::to_string(doc_.media().size()) + " m= lines and " +
                        std::to_string(targets_.size()) + " targets",
                    "sdp");
    }
    if (auto error = refusal()) return std::unexpected(std::move(*error));
    rewrite_session();
    for (std::size_t i = 0; i < targets_.size(); ++i) rewrite_media(i);
    Rewritten result;
    apply(result);
    return result;
}

std::optional<Error> Rewriter::refusal() const {
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        if (!changes(i)) continue;
        if (auto error = why_refused(doc_)) return error;
        if (auto error = why_refused(doc_, doc_.media()[i], *targets_[i])) return error;
    }
    return std::nullopt;
}

bool Rewriter::all_relayed() const {
    bool any = false;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        if (!targets_[i] && !doc_.media()[i].rejected()) return false;
        any = any || changes(i);
    }
    return any;
}

// --- edits ---------------------------------------------------------------------------------------------------------

void Rewriter::edit(const Span& span, std::size_t line, std::string after, EditReason reason) {
    if (doc_.text(span) == after) return;
    edits_.push_back({.line = line + 1,
                      .offset = span.offset,
                      .before = std::string(doc_.text(span)),
                      .after = std::move(after),
                      .reason = reason});
}

/// A new line, ended as its neighbour is. After a last line without end, the end comes first.
void Rewriter::insert_after(std::size_t line, const std::string& text, EditReason reason) {
    const Line& neighbour = doc_.lines()[line];
    const std::string_view end = doc_.text({neighbour.value.end(), neighbour.whole.end() - neighbour.value.end()});
    std::string added = end.empty() ? std::string(doc_.line_end()) + text : text + std::string(end);
    edit({neighbour.whole.end(), 0}, line, std::move(added), reason);
}

void Rewriter::remove_line(std::size_t line, EditReason reason) {
    edit(doc_.lines()[line].whole, line, {}, reason);
}

/// The family word goes along when there is one and it changes.
void Rewriter::edit_address(const Field& field, const IpAddress& address, EditReason reason) {
    if (field.address.empty()) return;
    if (field.family.empty() || doc_.text(field.family) == family_word(address)) {
        edit(field.address, field.line, to_string(address), reason);
    } else {
        edit({field.family.offset, field.address.end() - field.family.offset}, field.line, network_words(address),
             reason);
    }
}

/// Hold's 0.0.0.0 stays what it is, in the family of the relay (RFC 6157 section 5: an endpoint of one family cannot
/// read the other's).
void Rewriter::edit_zero(const Field& connection, const IpAddress& address) {
    if (doc_.text(connection.family) == family_word(address)) return;
    edit_address(connection, address.is_v4() ? IpAddress() : IpAddress::v6({}), EditReason::zero_family);
}

// --- session part --------------------------------------------------------------------------------------------------

void Rewriter::rewrite_session() {
    if (doc_.origin()) {
        if (options_.session_version && !doc_.origin_version().empty()) {
            edit(doc_.origin_version(), doc_.origin()->line, std::to_string(*options_.session_version),
                 EditReason::origin_version);
        }
        if (options_.origin_address) edit_address(*doc_.origin(), *options_.origin_address, EditReason::origin_address);
    }
    if (options_.origin_address) {
        for (const Field& field : doc_.fields()) {
            if (field.kind == FieldKind::old_media_ip) remove_line(field.line, EditReason::left_over);
        }
    }
    rewrite_session_connection();
    if (options_.ice == IcePolicy::drop && all_relayed()) remove_ice(0, doc_.session_end());
    while (field_ < doc_.fields().size() && doc_.fields()[field_].line < doc_.session_end()) ++field_;
}

/// The session's c= changes when every stream that reads it moves; otherwise the moving ones get a c= of their own.
void Rewriter::rewrite_session_connection() {
    if (!doc_.session_connection()) return;
    std::optional<IpAddress> address;
    bool hold = false;
    bool read = false;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        const Media& media = doc_.media()[i];
        if (media.own_connection || media.rejected()) continue;
        if (!targets_[i]) return;
        read = true;
        if (!address) address = targets_[i]->rtp.address;
        hold = hold || keeps_zero(media);
    }
    if (!read && all_relayed() && options_.origin_address) {  // nobody reads it, but it may be private
        address = options_.origin_address;
        for (std::size_t i = targets_.size(); i-- > 0;) {
            if (changes(i)) address = targets_[i]->rtp.address;
        }
    } else if (!read && targets_.empty()) {
        address = options_.origin_address;
    }
    if (!address || why_refused(doc_, *doc_.session_connection())) return;
    if (hold) {
        edit_zero(*doc_.session_connection(), *address);
    } else {
        edit_address(*doc_.session_connection(), *address, EditReason::session_connection);
        session_address_ = address;
    }
}

// --- one stream ----------------------------------------------------------------------------------------------------

void Rewriter::rewrite_media(std::size_t i) {
    const Media& media = doc_.media()[i];
    if (!changes(i)) {
        if (shows_address(i))
            edit_address(*media.own_connection, targets_[i]->rtp.address, EditReason::media_connection);
        while (field_ < doc_.fields().size() && doc_.fields()[field_].line < media.end) ++field_;
        return;
    }
    const MediaTarget& target = *targets_[i];
    rewrite_port(media, target);
    if (!target.protocol.empty())
        edit(span_of(media.protocol), media.line, std::string(target.protocol), EditReason::protocol);
    rewrite_connection(i);
    if (target.mux && media.rtp()) rewrite_mux(media, *target.mux);
    rewrite_rtcp(media, target);
    rewrite_setup(media, target);
    if (options_.replace_zero_address && doc_.zero_address_hold(media)) rewrite_direction(media);
    rewrite_fields(media, target);
    if (options_.ice == IcePolicy::drop) remove_ice(media.line, media.end);
    if (media.ice && (options_.ice == IcePolicy::add || options_.ice == IcePolicy::replace))
        add_candidates(media, target);
}

void Rewriter::rewrite_connection(std::size_t i) {
    const Media& media = doc_.media()[i];
    const IpAddress& address = targets_[i]->rtp.address;
    const bool hold = !shows_address(i);
    for (std::size_t f = field_; f < doc_.fields().size() && doc_.fields()[f].line < media.end; ++f) {
        const Field& field = doc_.fields()[f];
        if (field.kind != FieldKind::connection) continue;
        if (hold) {
            edit_zero(field, address);
        } else {
            edit_address(field, address, EditReason::media_connection);
        }
    }
    if (hold || media.own_connection) return;
    if (session_address_ == address) return;
    std::size_t line = media.line;  // m= i= c= b= k= a= (RFC 8866 section 9)
    while (line + 1 < media.end && doc_.lines()[line + 1].type == 'i') ++line;
    insert_after(line, "c=IN " + network_words(address), EditReason::connection_inserted);
}

void Rewriter::rewrite_port(const Media& media, const MediaTarget& target) {
    if (media.port == 0) return;  // bundle-only: its port is another's
    const std::optional<Setup> setup = target.setup ? target.setup : media.setup;
    const bool becomes_active = target.setup && media.setup != Setup::active;
    const bool discard =
        media.tcp() && setup == Setup::active && (media.port == 9 || becomes_active) && !target.shows_port;
    edit(media.port_field.port, media.line, discard ? "9" : std::to_string(target.rtp.port), EditReason::media_port);
}

void Rewriter::rewrite_mux(const Media& media, bool mux) {
    if (mux == media.rtcp_mux) return;
    if (mux) return insert_after(line_before_attributes(media), "a=rtcp-mux", EditReason::mux_inserted);
    for (std::size_t line = media.line; line < media.end; ++line) {
        const std::string_view value = doc_.text(doc_.lines()[line].value);
        const std::string_view name = value.substr(0, value.find(':'));
        if (doc_.lines()[line].type == 'a' && (name == "rtcp-mux" || name == "rtcp-mux-only"))
            remove_line(line, EditReason::mux_removed);
    }
}

void Rewriter::rewrite_rtcp(const Media& media, const MediaTarget& target) {
    const bool mux = target.mux.value_or(media.rtcp_mux);
    Endpoint rtcp = target.rtp;
    if (target.rtcp) {
        rtcp = *target.rtcp;
    } else if (!mux && !(media.rtcp && media.port != 9 && doc_.port(*media.rtcp) == media.port)) {
        rtcp.port = rtcp.port == 65535 ? rtcp.port : static_cast<std::uint16_t>(rtcp.port + 1);
    }
    if (media.rtcp) {
        for (const Field& field : doc_.fields()) {  // a second one would still name the old place
            if (field.kind == FieldKind::rtcp && field.line > media.line && field.line < media.end)
                edit_rtcp(field, rtcp, target.rtp.address);
        }
        return;
    }
    if (media.port == 0) return;  // RFC 9143 section 7.1.2: not where a stream is bundle-only
    const bool default_port = rtcp.address == target.rtp.address && rtcp.port == target.rtp.port + 1;
    const bool muxed = mux && rtcp == target.rtp;
    if (!target.rtcp || !media.rtp() || default_port || muxed) return;
    std::string line = "a=rtcp:" + std::to_string(rtcp.port);
    if (rtcp.address != target.rtp.address) line += " IN " + network_words(rtcp.address);
    insert_after(line_before_attributes(media), line, EditReason::rtcp_inserted);
}

void Rewriter::edit_rtcp(const Field& field, const Endpoint& rtcp, const IpAddress& address) {
    edit(field.port, field.line, std::to_string(rtcp.port), EditReason::rtcp);
    if (!field.address.empty()) {
        edit_address(field, rtcp.address, EditReason::rtcp);
    } else if (rtcp.address != address) {
        edit({field.port.end(), 0}, field.line, " IN " + network_words(rtcp.address), EditReason::rtcp);
    }
}

void Rewriter::rewrite_setup(const Media& media, const MediaTarget& target) {
    if (!target.setup || media.setup == target.setup) return;
    for (std::size_t line = media.line; line < media.end; ++line) {
        const Span value = doc_.lines()[line].value;
        if (doc_.lines()[line].type != 'a' || !doc_.text(value).starts_with("setup:")) continue;
        edit({value.offset + 6, value.length - 6}, line, to_string(*target.setup), EditReason::setup);
        return;
    }
    insert_after(line_before_attributes(media), std::string("a=setup:") + to_string(*target.setup), EditReason::setup);
}

/// Who has no address to be sent to sends at most.
void Rewriter::rewrite_direction(const Media& media) {
    const std::string way = to_string(sends(media.direction) ? Direction::sendonly : Direction::inactive);
    for (std::size_t line = media.line; line < media.end; ++line) {
        const Span value = doc_.lines()[line].value;
        if (doc_.lines()[line].type != 'a' || !parse_direction(doc_.text(value))) continue;
        return edit(value, line, way, EditReason::zero_direction);
    }
    insert_after(line_before_attributes(media), "a=" + way, EditReason::zero_direction);
}

void Rewriter::rewrite_fields(const Media& media, const MediaTarget& target) {
    for (; field_ < doc_.fields().size() && doc_.fields()[field_].line < media.end; ++field_) {
        const Field& field = doc_.fields()[field_];
        if (field.kind == FieldKind::filter_target) rewrite_filter(field_, target.rtp.address);
        if (field.kind == FieldKind::path) {
            const bool brackets = field.address.offset > 0 && doc_.text()[field.address.offset - 1] == '[';
            const Span host = brackets ? Span{field.address.offset - 1, field.address.length + 2} : field.address;
            const IpAddress& address = target.rtp.address;
            edit(host, field.line, address.is_v4() ? to_string(address) : "[" + to_string(address) + "]",
                 EditReason::path);
            if (doc_.text(field.port) != "9")
                edit(field.port, field.line, std::to_string(target.rtp.port), EditReason::path);
        }
    }
}

/// The receiver now gets its packets from the relay, at the relay's address: an inclusive filter would drop them all
/// (RFC 4570 section 3.1). An exclusive one keeps its sources, but has nothing to say about the other family.
void Rewriter::rewrite_filter(std::size_t index, const IpAddress& address) {
    const Field& filter = doc_.fields()[index];
    const std::string_view mode =
        text::trim(doc_.text(doc_.lines()[filter.line].value).substr(std::string_view("source-filter:").size()));
    const bool inclusive = mode.starts_with("incl");
    const bool crosses = doc_.text(filter.family) != family_word(address);
    if (!inclusive && crosses) return remove_line(filter.line, EditReason::filter);
    if (doc_.text(filter.address) != "*") {
        edit_address(filter, address, EditReason::filter);
    } else if (crosses) {
        edit(filter.family, filter.line, family_word(address), EditReason::filter);
    }
    Span sources;
    for (std::size_t f = index + 1; f < doc_.fields().size() && doc_.fields()[f].line == filter.line; ++f) {
        const Span& source = doc_.fields()[f].address;
        if (sources.empty()) sources = source;
        sources.length = source.end() - sources.offset;
    }
    if (inclusive && !sources.empty()) edit(sources, filter.line, to_string(address), EditReason::filter);
}

void Rewriter::remove_ice(std::size_t first, std::size_t last) {
    for (std::size_t line = first; line < last; ++line) {
        if (doc_.lines()[line].type == 'a' && is_ice_attribute(doc_.text(doc_.lines()[line].value))) {
            remove_line(line, EditReason::ice_removed);
        }
    }
}

void Rewriter::add_candidates(const Media& media, const MediaTarget& target) {
    std::size_t after = media.line;
    for (std::size_t line = media.line; line < media.end; ++line) {
        if (doc_.lines()[line].type == 0) continue;
        const bool candidate =
            doc_.lines()[line].type == 'a' && is_candidate_attribute(doc_.text(doc_.lines()[line].value));
        if (candidate && options_.ice == IcePolicy::replace) {
            remove_line(line, EditReason::ice_removed);
        } else {
            after = line;
        }
    }
    const auto add = [&](unsigned component, const Endpoint& endpoint) {
        insert_after(after, relay_candidate(component, endpoint, media.tcp()), EditReason::ice_added);
    };
    add(1, target.rtp);
    if (media.rtp() && !media.rtcp_mux) {
        Endpoint next = target.rtp;
        if (next.port < 65535) ++next.port;
        add(2, target.rtcp.value_or(next));
    }
}

std::size_t Rewriter::line_before_attributes(const Media& media) const {
    std::size_t line = media.line;
    while (line + 1 < media.end && doc_.lines()[line + 1].type != 'a' && doc_.lines()[line + 1].type != 0) ++line;
    return line;
}

void Rewriter::apply(Rewritten& result) {
    // At one offset, what is inserted comes before what goes away.
    std::ranges::stable_sort(edits_, {}, [](const Edit& edit) { return std::pair(edit.offset, !edit.before.empty()); });
    std::size_t at = 0;
    for (Edit& edit : edits_) {
        if (edit.offset < at) continue;  // inside a line that goes away
        result.text.append(doc_.text().substr(at, edit.offset - at)).append(edit.after);
        at = edit.offset + edit.before.size();
        result.edits.push_back(std::move(edit));
    }
    result.text.append(doc_.text().substr(at));
}

}  // namespace

Result<Rewritten> rewrite(const Document& document, Targets targets, const Options& options) {
    return Rewriter(document, targets, options).run();
}

}  // namespace natkit::sdp
