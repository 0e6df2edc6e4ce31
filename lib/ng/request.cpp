#include "natkit/ng/request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/ng/flags.hpp"
#include "rtpp_flags.hpp"

namespace natkit::ng {
namespace {

constexpr std::array commands{
    std::pair{std::string_view("ping"), Command::ping},
    std::pair{std::string_view("offer"), Command::offer},
    std::pair{std::string_view("answer"), Command::answer},
    std::pair{std::string_view("delete"), Command::remove},
    std::pair{std::string_view("query"), Command::query},
    std::pair{std::string_view("list"), Command::list},
    std::pair{std::string_view("statistics"), Command::statistics},
};

/// rtpengine's other commands.
constexpr std::array<std::string_view, 27> other_commands{"start recording",
                                                          "stop recording",
                                                          "pause recording",
                                                          "start forwarding",
                                                          "stop forwarding",
                                                          "block DTMF",
                                                          "unblock DTMF",
                                                          "block media",
                                                          "unblock media",
                                                          "silence media",
                                                          "unsilence media",
                                                          "play media",
                                                          "stop media",
                                                          "play DTMF",
                                                          "publish",
                                                          "unsubscribe",
                                                          "inject start",
                                                          "inject stop",
                                                          "connect",
                                                          "subscribe request",
                                                          "subscribe answer",
                                                          "cli",
                                                          "CLI",
                                                          "transform",
                                                          "create",
                                                          "create answer",
                                                          "mesh"};

/// Keys whose lists and values are flags: `replace: [origin]` is the flag replace-origin.
constexpr std::array<std::string_view, 22> keys_of_flags{"replace",
                                                         "rtcp-mux",
                                                         "sdes",
                                                         "t.38",
                                                         "osrtp",
                                                         "bundle",
                                                         "supports",
                                                         "codec-strip",
                                                         "codec-offer",
                                                         "codec-mask",
                                                         "codec-transcode",
                                                         "codec-set",
                                                         "codec-accept",
                                                         "codec-except",
                                                         "codec-ignore",
                                                         "from-tags",
                                                         "codec-consume",
                                                         "endpoint-learning",
                                                         "transcode",
                                                         "extmap-strip",
                                                         "extmap-mask",
                                                         "sdp-media-remove"};

/// Words of a `via-branch` that tell the proxy's module what to send.
constexpr std::array<std::string_view, 9> branch_words{"1",         "2",         "auto",       "extra",     "next",
                                                       "auto-next", "next-auto", "auto-extra", "extra-auto"};

constexpr std::size_t most_warnings = 16;
constexpr std::size_t most_name = 512;  ///< bytes
constexpr std::chrono::seconds longest_delay = std::chrono::hours(24);

/// A text, a number, or a list of one text: an IPv6 address in brackets is that in a string of flags.
std::string as_text(const Value& value) {
    if (const std::string* text = value.text()) return *text;
    if (const std::int64_t* number = value.number()) return std::to_string(*number);
    const List* list = value.list();
    return list != nullptr && list->size() == 1 && list->front().text() != nullptr ? *list->front().text()
                                                                                   : std::string();
}

std::optional<std::int64_t> as_number(const Value& value) {
    if (const std::int64_t* number = value.number()) return *number;
    const std::string text = as_text(value);
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
    return number;
}

std::string upper(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return result;
}

/// What words such as `SRTP AVPF` come to.
class TransportWords {
  public:
    /// False: the word is none of them.
    bool take(std::string_view word) {
        const std::string name = upper(word);
        const bool known = take_part(name) || take_whole(name);
        said_ = said_ || known;
        return known;
    }
    [[nodiscard]] bool said() const { return said_; }
    [[nodiscard]] std::string protocol() const {
        return std::string(dtls_ ? "UDP/TLS/" : "") + (secure_ || dtls_ ? "RTP/SAVP" : "RTP/AVP") +
               (feedback_ ? "F" : "");
    }

  private:
    bool take_part(std::string_view name) {
        if (name == "RTP" || name == "SRTP") {
            secure_ = name == "SRTP";
        } else if (name == "AVP" || name == "AVPF") {
            feedback_ = name == "AVPF";
        } else if (name == "DTLS") {
            dtls_ = true;
        } else {
            return false;
        }
        return true;
    }
    bool take_whole(std::string_view name) {
        const bool dtls = name.starts_with("UDP/TLS/");
        if (dtls) name.remove_prefix(8);
        const bool secure = name.starts_with("RTP/SAVP");
        if (name != "RTP/AVP" && name != "RTP/AVPF" && name != "RTP/SAVP" && name != "RTP/SAVPF") return false;
        if (dtls && !secure) return false;
        dtls_ = dtls;
        secure_ = secure;
        feedback_ = name.ends_with('F');
        return true;
    }

    bool said_ = false;
    bool secure_ = false;
    bool feedback_ = false;
    bool dtls_ = false;
};

/// Reads key after key into a request.
class RequestReader {
  public:
    explicit RequestReader(Command command) {
        request_.command = command;
        sets_up_ = command == Command::offer || command == Command::answer;
    }

    void read(const Dictionary& dictionary, bool raw) {
        for (const Entry& entry : dictionary) read_key(entry.key, entry.value, raw);
    }

    Result<Request> finish() {
        if (!failure_.empty()) return fail(Errc::bad_input, failure_);
        if (request_.wishes.protocol.empty() && transport_.said()) request_.wishes.protocol = transport_.protocol();
        if (!sets_up_) request_.refusal.clear();
        return std::move(request_);
    }

  private:
    using Handler = void (RequestReader::*)(const Value& value, bool raw);
    static const std::unordered_map<std::string_view, Handler>& handlers();

    void read_key(const std::string& key, const Value& value, bool raw) {
        const std::string folded = fold(key);
        if (const auto found = handlers().find(folded); found != handlers().end()) {
            return (this->*found->second)(value, raw);
        }
        if (const Dictionary* parts = value.dictionary();
            parts != nullptr && (folded == "codec" || folded == "codecs" || folded == "extmap")) {
            const std::string prefix = folded == "extmap" ? "extmap-" : "codec-";
            for (const Entry& part : *parts) read_key(prefix + part.key, part.value, raw);
            return;
        }
        const bool flags = std::ranges::find(keys_of_flags, folded) != keys_of_flags.end();
        const auto each = [&](std::string_view item) { wish(key + (flags ? "-" : "=") + std::string(item), key); };
        if (value.list() != nullptr || flags) return for_each(value, each);
        if (value.dictionary() != nullptr) return each("...");
        each(as_text(value));
    }

    /// The texts of a list, or of a text with commas.
    template <class Function>
    void for_each(const Value& value, const Function& function) {
        if (const List* list = value.list()) {
            for (const Value& item : *list) {
                if (const std::string text = as_text(item); !text.empty()) function(text);
            }
            return;
        }
        const std::string text = as_text(value);
        for (const std::string_view part : text::split(text, ',')) {
            if (!text::trim(part).empty()) function(text::trim(part));
        }
    }

    void read_word(std::string_view word) {
        if (transport_.take(word)) return;
        if (text::iequals(word, "internal") || text::iequals(word, "external")) return add_direction(word);
        wish(word, {});
    }

    /// `key`: where the word was a value, its key.
    void wish(std::string_view word, std::string_view key) {
        const Flag* flag = find_flag(word);
        if (flag == nullptr) return unknown(word, key);
        if (!sets_up_ || (flag->of_offers && request_.command != Command::offer)) return;
        if (flag->set != nullptr) flag->set(request_.wishes);
        if (flag->support == Support::refused && request_.refusal.empty()) request_.refusal = refusal_of(*flag, word);
        if (flag->support == Support::warned) {
            warn("'" + text::printable(word, 80) + "' is ignored: " + std::string(flag->remark));
        }
    }

    void unknown(std::string_view word, std::string_view key) {
        if (++unknown_ > most_warnings + 1) return;  // nearest words are not looked for without end
        const bool whole_key = !key.empty() && !is_known_key(key) && word.substr(key.size(), 1) == "=";
        const std::string near = suggestion(whole_key ? key : word);
        warn(std::string(whole_key ? "unknown key '" : "unknown flag '") + text::printable(whole_key ? key : word, 80) +
             "': ignored" + (near.empty() ? "" : "; " + near));
    }

    void warn(std::string text) {
        std::vector<std::string>& warnings = request_.warnings;
        if (std::ranges::find(warnings, text) != warnings.end() || warnings.size() > most_warnings) return;
        warnings.push_back(warnings.size() == most_warnings ? "more flags and keys are ignored" : std::move(text));
    }

    void bad_value(const char* key, const Value& value, const char* what) {
        warn(std::string(key) + ": " + what + ": '" + text::printable(as_text(value), 80) + "'; ignored");
    }

    template <std::string Request::* Member>
    void set_text(const Value& value, bool /*raw*/) {
        if (std::string text = as_text(value); !text.empty()) request_.*Member = std::move(text);
    }

    void set_branch(const Value& value, bool raw) {
        const std::string text = as_text(value);
        if (raw && std::ranges::find(branch_words, text) != branch_words.end()) return;
        set_text<&Request::via_branch>(value, raw);
    }

    void nothing(const Value& /*value*/, bool /*raw*/) {}

    void read_flags(const Value& value, bool /*raw*/) {
        for_each(value, [&](std::string_view word) { read_word(word); });
    }

    void read_raw(const Value& value, bool raw) {
        if (raw) return;  // no flags within flags
        const auto flags = parse_rtpp_flags(as_text(value));
        if (flags) return read(*flags, true);
        failure_ = "rtpp-flags: " + to_string(flags.error());
    }

    /// An address, or its family and then the address.
    void set_received_from(const Value& value, bool /*raw*/) {
        std::string text = as_text(value);
        if (const List* list = value.list(); list != nullptr && list->size() >= 2) text = as_text((*list)[1]);
        if (text.empty()) return;
        if (const auto address = IpAddress::parse(text.substr(0, text.find('%')))) {
            request_.received_from = *address;
        } else {
            bad_value("received-from", text, "not an address");
        }
    }

    void set_media_address(const Value& value, bool /*raw*/) {
        if (const auto address = IpAddress::parse(as_text(value))) {
            request_.wishes.media_address = *address;
        } else {
            bad_value("media-address", value, "not an address");
        }
    }

    void set_family(const Value& value, bool /*raw*/) {
        const std::string text = text::lower(as_text(value));
        if (text == "ip4" || text == "ipv4" || text == "inet") {
            request_.wishes.family = Family::ipv4;
        } else if (text == "ip6" || text == "ipv6" || text == "inet6") {
            request_.wishes.family = Family::ipv6;
        } else if (!text.empty()) {
            bad_value("address-family", value, "neither IP4 nor IP6");
        }
    }

    void set_tos(const Value& value, bool /*raw*/) {
        const auto number = as_number(value);
        if (number && *number >= 0 && *number <= 255) {
            request_.wishes.tos = static_cast<std::uint8_t>(*number);
        } else if (!number || *number != 256) {  // rtpengine's word for its own default
            bad_value("TOS", value, "not a number from 0 to 255");
        }
    }

    void set_delay(const Value& value, bool /*raw*/) {
        const auto number = as_number(value);
        if (!number) return bad_value("delete-delay", value, "not a number of seconds");
        if (*number < 0) return;
        request_.delete_delay = std::chrono::seconds(std::min<std::int64_t>(*number, longest_delay.count()));
    }

    void set_limit(const Value& value, bool /*raw*/) {
        const auto number = as_number(value);
        if (!number || *number < 0) return bad_value("limit", value, "not a number");
        request_.limit = static_cast<unsigned>(std::min<std::int64_t>(*number, 1'000'000));
    }

    void set_supports(const Value& value, bool /*raw*/) {
        for_each(value, [&](std::string_view feature) {
            request_.load_limit = request_.load_limit || fold(feature) == "load-limit";
        });
    }

    void set_protocol(const Value& value, bool /*raw*/) {
        const std::string protocol = upper(as_text(value));
        if (protocol != "ACCEPT") request_.wishes.protocol = protocol;
    }

    void add_direction(std::string_view name) {
        std::vector<std::string>& names = request_.wishes.direction;
        const auto free = std::ranges::find(names, std::string());
        if (names.empty()) {
            names = {std::string(name), std::string()};
        } else if (free != names.end()) {
            *free = name;
        } else {
            warn("direction: more than two; ignored");
        }
    }

    /// The key `direction` says both sides; in a string of flags it comes once for each.
    void set_direction(const Value& value, bool raw) {
        if (value.list() != nullptr || !raw) request_.wishes.direction.clear();
        if (value.list() == nullptr) return add_direction(as_text(value));
        for_each(value, [&](std::string_view name) { add_direction(name); });
    }

    template <std::size_t Side>
    void set_interface(const Value& value, bool /*raw*/) {
        request_.wishes.direction.resize(2);
        request_.wishes.direction[Side] = as_text(value);
    }

    Request request_;
    bool sets_up_ = false;  ///< an offer or answer: wishes count
    TransportWords transport_;
    std::size_t unknown_ = 0;
    std::string failure_;
};

const std::unordered_map<std::string_view, RequestReader::Handler>& RequestReader::handlers() {
    using R = RequestReader;
    static const std::unordered_map<std::string_view, Handler> map{
        {"command", &R::nothing},
        {"call-id", &R::set_text<&Request::call_id>},
        {"from-tag", &R::set_text<&Request::from_tag>},
        {"to-tag", &R::set_text<&Request::to_tag>},
        {"label", &R::set_text<&Request::label>},
        {"from-label", &R::set_text<&Request::label>},
        {"set-label", &R::set_text<&Request::label>},
        {"sdp", &R::set_text<&Request::sdp>},
        {"via-branch", &R::set_branch},
        {"flags", &R::read_flags},
        {"rtpp-flags", &R::read_raw},
        {"received-from", &R::set_received_from},
        {"media-address", &R::set_media_address},
        {"address-family", &R::set_family},
        {"tos", &R::set_tos},
        {"delete-delay", &R::set_delay},
        {"limit", &R::set_limit},
        {"supports", &R::set_supports},
        {"transport-protocol", &R::set_protocol},
        {"direction", &R::set_direction},
        {"from-interface", &R::set_interface<0>},
        {"in-iface", &R::set_interface<0>},
        {"to-interface", &R::set_interface<1>},
        {"out-iface", &R::set_interface<1>},
    };
    return map;
}

/// In rtpengine's order and words.
const char* missing(const Request& request) {
    const bool offer = request.command == Command::offer;
    const bool answer = request.command == Command::answer;
    if ((offer || answer) && request.sdp.empty()) return "No SDP body in message";
    const bool of_a_call = offer || answer || request.command == Command::remove || request.command == Command::query;
    if (of_a_call && request.call_id.empty()) return "No call-id in message";
    if ((offer || answer) && request.from_tag.empty()) return "No from-tag in message";
    if (answer && request.to_tag.empty()) return "No to-tag in message";
    // They are kept, and journalled, as long as the call lasts.
    if (request.call_id.size() > most_name) return "call-id is longer than 512 bytes";
    for (const std::string* name : {&request.from_tag, &request.to_tag, &request.via_branch, &request.label}) {
        if (name->size() > most_name) return "a tag, via-branch or label is longer than 512 bytes";
    }
    return nullptr;
}

}  // namespace

const char* to_string(Command command) noexcept {
    return std::ranges::find(commands, command, &std::pair<std::string_view, Command>::second)->first.data();
}

Result<Request> read_request(const Dictionary& message) {
    const Value* word = find(message, "command");
    const std::string* name = word == nullptr ? nullptr : word->text();
    if (name == nullptr) return fail(Errc::bad_input, "Dictionary contains no key \"command\"");
    const auto command = std::ranges::find(commands, *name, &std::pair<std::string_view, Command>::first);
    if (command == commands.end()) {
        if (std::ranges::find(other_commands, *name) == other_commands.end()) {
            return fail(Errc::usage, "Unrecognized command");
        }
        return fail(Errc::refused, "Command '" + *name +
                                       "' is not supported: natkit relays media between the parties and does nothing "
                                       "else with them");
    }
    RequestReader reader(command->second);
    if (command->second != Command::ping) reader.read(message, false);
    auto request = reader.finish();
    if (!request) return request;
    if (const char* what = missing(*request)) return fail(Errc::bad_input, what);
    return request;
}

}  // namespace natkit::ng
