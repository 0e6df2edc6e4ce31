#include "sdprewrite/rewriter.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/record/sip.hpp"
#include "natkit/sdp/body.hpp"

namespace natkit::sdprewrite {
namespace {

constexpr const char* program = "sdprewrite";
constexpr std::size_t longest_description = 1024 * 1024;

nlohmann::ordered_json to_json(const std::vector<sdp::Edit>& edits) {
    auto list = nlohmann::ordered_json::array();
    for (const sdp::Edit& edit : edits) {
        list.push_back({{"line", edit.line},
                        {"before", edit.before},
                        {"after", edit.after},
                        {"reason", sdp::to_string(edit.reason)}});
    }
    return list;
}

/// What changed, for people: line ends and all on one line.
std::string edit_text(const sdp::Edit& edit) {
    const std::string before = text::printable(text::trim(edit.before), 120);
    const std::string after = text::printable(text::trim(edit.after), 120);
    if (before.empty()) return "added '" + after + "'";
    if (after.empty()) return "removed '" + before + "'";
    return "'" + before + "' became '" + after + "'";
}

/// What natclassify found out about the sender travels in the record.
rewrite::Sender sender_of(const nlohmann::ordered_json& json, const record::Sip& sip) {
    rewrite::Sender sender{.source = sip.source, .destination = sip.destination, .place = {}};
    const auto nat = json.find("nat");
    if (nat == json.end() || !nat->is_object()) return sender;
    const auto place = nat->find("place");
    if (place != nat->end() && (*place == "lan" || *place == "wan" || *place == "far-end"))
        sender.place = place->get<std::string>();
    return sender;
}

}  // namespace

tool::Exit Rewriter::run() {
    const auto head = source_.peek(64);
    Result<void> done;
    if (!head) {
        done = std::unexpected(head.error());
    } else {
        switch (explain::recognise(*head)) {
            case explain::InputKind::empty:
            case explain::InputKind::sip: done = copy_messages(); break;
            case explain::InputKind::sdp:
                if (relay_ != nullptr) {
                    tool::complain(program, source_.name() +
                                                ": --relay needs SIP messages: a bare description belongs to no call");
                    return tool::Exit::usage;
                }
                done = copy_description();
                break;
            case explain::InputKind::json: done = copy_lines(); break;
            case explain::InputKind::capture:
                tool::complain(
                    program,
                    source_.name() + ": a capture has no form to answer in; pipe it through natclassify --format json");
                return tool::Exit::usage;
        }
    }
    if (!done) bad({}, done.error());
    return any_bad_ ? tool::Exit::bad_record : tool::Exit::fine;
}

void Rewriter::bad(const std::string& where, const Error& error) {
    any_bad_ = true;
    Error told = error;
    if (!where.empty()) told.where = where + (error.where.empty() ? "" : ": " + error.where);
    output_.flush();
    tool::complain(program, told);
}

void Rewriter::tell_edits(const std::string& where, std::size_t first_line, const std::vector<sdp::Edit>& edits) {
    for (const sdp::Edit& edit : edits) {
        tool::complain(program, where + std::to_string(first_line + edit.line - 1) + ": " + edit_text(edit) + " (" +
                                    sdp::to_string(edit.reason) + ")");
    }
}

Result<explain::RewrittenMessage> Rewriter::rewrite_sip(const std::string& bytes, const rewrite::Sender& sender) {
    const auto message = sip::Message::parse(bytes);
    if (!message) return std::unexpected(message.error());
    if (!asks_for_something()) return explain::RewrittenMessage{.bytes = bytes, .edits = {}, .has_description = false};
    if (relay_ != nullptr) {  // no legs for what cannot be rewritten anyway
        const bool speaks =
            !sdp::find_descriptions(message->value(sip::Name::content_type), message->body()).descriptions.empty();
        if (auto reason = explain::why_untouchable(*message); speaks && reason)
            return std::unexpected(*std::move(reason));
        if (auto done = relay_->on_message(*message, sender); !done) return std::unexpected(done.error());
    }
    const auto choose = [&](const sdp::Document& document, std::size_t) {
        return relay_ != nullptr ? relay_->targets(document) : rewrite::choose_targets(document, settings_.to);
    };
    auto rewritten = explain::rewrite_message(*message, choose, settings_.sdp);
    if (relay_ == nullptr) return rewritten;
    const auto done = relay_->end_message();
    return rewritten && !done ? Result<explain::RewrittenMessage>(std::unexpected(done.error())) : rewritten;
}

/// Without that nothing is judged either: what may not be rewritten is no fault then.
bool Rewriter::asks_for_something() const {
    return relay_ != nullptr || !settings_.to.empty() || settings_.sdp.origin_address || settings_.sdp.session_version;
}

/// The input from here on as it is.
Result<void> Rewriter::copy_rest(std::string_view read_already) {
    output_.write(read_already);
    std::string chunk(64 * 1024, '\0');
    for (;;) {
        const auto count = source_.read(chunk);
        if (!count) return std::unexpected(count.error());
        if (*count == 0) return {};
        output_.write(std::string_view(chunk).substr(0, *count));
    }
}

/// Writes what became of one text that starts at `line` of the input.
void Rewriter::put(const std::string& original, std::size_t line, Result<explain::RewrittenMessage> rewritten,
                   bool bare) {
    if (!rewritten) bad(source_.name() + ":" + std::to_string(line), rewritten.error());
    const std::string& bytes = rewritten ? rewritten->bytes : original;
    if (settings_.records) {
        nlohmann::ordered_json json = {{"type", bare ? "sdp" : "sip"}};
        record::set_message(json, bytes);
        if (rewritten) json["rewrite"] = to_json(rewritten->edits);
        output_.write(record::to_line(json));
    } else {
        output_.write(bytes);
    }
    if (rewritten && settings_.explain) tell_edits(source_.name() + ":", line, rewritten->edits);
}

Result<void> Rewriter::copy_messages() {
    explain::MessageReader reader(source_);
    for (;;) {
        auto piece = reader.next();
        if (!piece && piece.error().code == Errc::exhausted) {  // where the next one starts is anybody's guess
            piece.error().message += ": the input is passed on unchanged from here";
            bad({}, piece.error());
            return copy_rest(reader.rest());
        }
        if (!piece) return std::unexpected(piece.error());
        if (!*piece) return {};
        if (!settings_.records) output_.write((*piece)->lead);
        if (!(*piece)->content.empty()) put((*piece)->content, (*piece)->line, rewrite_sip((*piece)->content, {}));
        if (!source_.ready()) output_.flush();  // who waits for an answer gets it
    }
}

Result<void> Rewriter::copy_description() {
    std::string text;
    std::string chunk(64 * 1024, '\0');
    for (;;) {
        const auto count = source_.read(chunk);
        if (!count) return std::unexpected(count.error());
        if (*count == 0) break;
        text.append(chunk, 0, *count);
        if (text.size() > longest_description) {
            bad({}, {.code = Errc::exhausted,
                     .where = source_.name(),
                     .message = "a session description longer than 1 MiB: passed on unchanged"});
            return copy_rest(text);
        }
    }
    const auto choose = [&](const sdp::Document& document, std::size_t) {
        return rewrite::choose_targets(document, settings_.to);
    };
    put(text, 1, explain::rewrite_description(text, choose, settings_.sdp), true);
    return {};
}

std::string Rewriter::rewrite_line(const explain::Piece& piece) {
    const std::string unchanged = piece.content + piece.tail;
    const std::string where = source_.name() + ":" + std::to_string(piece.line);
    if (text::trim(piece.content).empty()) return unchanged;
    auto json = record::parse_line(piece.content);
    if (!json) {
        bad(where, json.error());
        return unchanged;
    }
    const auto type = json->find("type");
    if (type != json->end() && *type != "sip") return unchanged;  // not ours
    const auto sip = record::read_sip(*json);
    if (!sip) {
        bad(where, sip.error());
        return unchanged;
    }
    const auto rewritten = rewrite_sip(sip->message, sender_of(*json, *sip));
    if (!rewritten) {
        bad(where, rewritten.error());
        return unchanged;
    }
    if (rewritten->edits.empty()) return unchanged;
    record::set_message(*json, rewritten->bytes);
    (*json)["rewrite"] = to_json(rewritten->edits);
    if (settings_.explain) tell_edits(where + ": line ", 1, rewritten->edits);
    return record::to_line(*json);
}

Result<void> Rewriter::copy_lines() {
    explain::LineReader reader(source_);
    for (;;) {
        const auto piece = reader.next();
        if (!piece && piece.error().code == Errc::exhausted) {
            bad({}, piece.error());
            for (;;) {
                const auto more = reader.more_of_long_line();
                if (!more) return std::unexpected(more.error());
                if (!*more) break;
                output_.write(**more);
            }
            continue;
        }
        if (!piece) return std::unexpected(piece.error());
        if (!*piece) return {};
        output_.write(rewrite_line(**piece));
        output_.flush();
    }
}

}  // namespace natkit::sdprewrite
