#include "natkit/sip/message/serialize.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

/// A field's own line with every line end inside it as CRLF: bare LF is accepted and never emitted.
void append_line(std::string& out, std::string_view line) {
    for (std::size_t end = line.find('\n'); end != std::string_view::npos; end = line.find('\n')) {  // folded
        const std::string_view part = line.substr(0, end);
        out += part.ends_with('\r') ? part.substr(0, end - 1) : part;
        out += "\r\n";
        line.remove_prefix(end + 1);
    }
    out += line;
    out += "\r\n";
}

void copy_fields(std::string& out, const Message& from, Name name) {
    for (const Header& header : from.headers()) {
        if (header.name == name) append_line(out, header.line);
    }
}

/// What ACK and CANCEL share: the request's top Via, its routes and its dialog, with another method.
std::string make_same_hop(const Message& invite, std::string_view method, std::string_view to_line) {
    const auto& cseq = invite.cseq();
    std::string out = std::string(method) + " " + std::string(invite.request_uri()) + " SIP/2.0\r\n";
    const auto vias = invite.values(Name::via);
    if (!vias.empty()) append_line(out, "Via: " + std::string(vias.front()));
    copy_fields(out, invite, Name::route);
    out += "Max-Forwards: 70\r\n";
    copy_fields(out, invite, Name::from);
    append_line(out, to_line);
    copy_fields(out, invite, Name::call_id);
    out += "CSeq: " + std::to_string(cseq ? cseq->number : 0) + " " + std::string(method) + "\r\n";
    return out + "Content-Length: 0\r\n\r\n";
}

}  // namespace

std::string Edit::field(Name name, std::string_view value) {
    return std::string(to_string(name)) + ": " + std::string(value);
}

Edit::Change& Edit::change_of(const Header& header) {
    return changes_[static_cast<std::size_t>(&header - message_.headers().data())];
}

void Edit::set_value(const Header& header, std::string_view value) {
    change_of(header) = {.kind = Change::Kind::replaced,
                         .line = std::string(header.name_text) + ": " + std::string(value)};
}

void Edit::remove(const Header& header) {
    change_of(header) = {.kind = Change::Kind::removed, .line = {}};
}

void Edit::remove_all(Name name) {
    for (const Header& header : message_.headers()) {
        if (header.name == name) remove(header);
    }
}

void Edit::set(Name name, std::string_view value) {
    if (const Header* header = message_.find(name)) {
        set_value(*header, value);
    } else {
        append(name, value);
    }
}

void Edit::pop_values(Name name, std::size_t count) {
    for (const Header& header : message_.headers()) {
        if (count == 0) return;
        const Change& change = change_of(header);
        if (header.name != name || change.kind == Change::Kind::removed) continue;
        const std::string line = change.kind == Change::Kind::replaced ? change.line : std::string(header.line);
        const auto values = split_values(std::string_view(line).substr(line.find(':') + 1));
        if (values.size() <= count) {
            count -= values.size();
            remove(header);
            continue;
        }
        const std::string_view rest =
            std::string_view(line).substr(static_cast<std::size_t>(values[count].data() - line.data()));
        return set_value(header, text::trim(rest));
    }
}

void Edit::pop_last_value(Name name) {
    for (std::size_t i = message_.headers().size(); i-- > 0;) {
        const Header& header = message_.headers()[i];
        Change& change = changes_[i];
        if (header.name != name || change.kind == Change::Kind::removed) continue;
        const std::string line = change.kind == Change::Kind::replaced ? change.line : std::string(header.line);
        const std::string_view value = std::string_view(line).substr(line.find(':') + 1);
        const auto values = split_values(value);
        if (values.size() < 2) return remove(header);
        const auto keep = static_cast<std::size_t>(values[values.size() - 2].data() + values[values.size() - 2].size() -
                                                   value.data());
        return set_value(header, text::trim(value.substr(0, keep)));
    }
}

std::string Edit::finish() const {
    const std::string_view body = body_ ? std::string_view(*body_) : message_.body();
    std::string out;
    out.reserve(message_.bytes().size() + body.size() + 512);
    append_line(out, start_line_.empty() ? message_.start_line() : std::string_view(start_line_));
    for (const std::string& line : top_) append_line(out, line);
    const std::string length = std::to_string(body.size());
    bool has_length = false;
    for (const Header& header : message_.headers()) {
        const Change& change = changes_[static_cast<std::size_t>(&header - message_.headers().data())];
        if (change.kind == Change::Kind::removed) continue;
        if (header.name == Name::content_length) {
            if (has_length) continue;
            has_length = true;
            if (header.value != length) {
                append_line(out, std::string(header.name_text) + ": " + length);
                continue;
            }
        }
        append_line(out, change.kind == Change::Kind::replaced ? std::string_view(change.line) : header.line);
    }
    for (const std::string& line : bottom_) append_line(out, line);
    if (!has_length) append_line(out, "Content-Length: " + length);
    out += "\r\n";
    out += body;
    return out;
}

std::string make_response(const Message& request, int status, std::string_view reason, std::string_view to_tag,
                          const std::vector<std::pair<std::string, std::string>>& extra) {
    std::string out = "SIP/2.0 " + std::to_string(status) + " " + std::string(reason) + "\r\n";
    copy_fields(out, request, Name::via);
    copy_fields(out, request, Name::from);
    if (const Header* to = request.find(Name::to)) {
        const bool add = !to_tag.empty() && request.to_tag().empty();
        append_line(out, add ? std::string(to->line) + ";tag=" + std::string(to_tag) : std::string(to->line));
    }
    copy_fields(out, request, Name::call_id);
    copy_fields(out, request, Name::cseq);
    for (const auto& [name, value] : extra) {
        out += name;
        out += ": ";
        append_line(out, value);
    }
    return out + "Content-Length: 0\r\n\r\n";
}

std::string make_ack(const Message& sent_invite, const Message& response) {
    const Header* to = response.find(Name::to);
    return make_same_hop(sent_invite, "ACK", to == nullptr ? std::string_view("To: <sip:unknown>") : to->line);
}

std::string make_cancel(const Message& sent_invite, std::string_view reason) {
    const Header* to = sent_invite.find(Name::to);
    std::string text =
        make_same_hop(sent_invite, "CANCEL", to == nullptr ? std::string_view("To: <sip:unknown>") : to->line);
    if (!reason.empty()) text.insert(text.rfind("Content-Length"), "Reason: " + std::string(reason) + "\r\n");
    return text;
}

std::string_view reason_of(int status) noexcept {
    struct Phrase {
        int status;
        std::string_view text;
    };
    static constexpr std::array phrases = std::to_array<Phrase>({
        {100, "Trying"},
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {415, "Unsupported Media Type"},
        {420, "Bad Extension"},
        {423, "Interval Too Brief"},
        {430, "Flow Failed"},
        {480, "Temporarily Unavailable"},
        {481, "Call/Transaction Does Not Exist"},
        {482, "Loop Detected"},
        {483, "Too Many Hops"},
        {486, "Busy Here"},
        {487, "Request Terminated"},
        {488, "Not Acceptable Here"},
        {491, "Request Pending"},
        {500, "Server Internal Error"},
        {503, "Service Unavailable"},
    });
    const auto* found = std::ranges::find(phrases, status, &Phrase::status);
    return found == phrases.end() ? std::string_view("Unknown") : found->text;
}

}  // namespace natkit::sip
