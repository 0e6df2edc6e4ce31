#include "natkit/migrate/proxy_config.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "functions.hpp"
#include "natkit/base/text.hpp"
#include "natkit/ng/flags.hpp"
#include "natkit/ng/request.hpp"
#include "tokens.hpp"

namespace natkit::migrate {
namespace {

using Kind = Token::Kind;

/// Of a file that is no configuration there may be any number.
constexpr std::size_t most_findings = 10'000;

/// Lines and columns of places in a text.
class Places {
  public:
    explicit Places(std::string_view text) : text_(text) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '\n') starts_.push_back(i + 1);
        }
    }
    /// `part` is of the text.
    [[nodiscard]] std::pair<std::size_t, std::size_t> of(std::string_view part) const {
        const auto offset = static_cast<std::size_t>(part.data() - text_.data());
        const auto after = std::ranges::upper_bound(starts_, offset);
        return {static_cast<std::size_t>(after - starts_.begin()), offset - *std::prev(after) + 1};
    }

  private:
    std::string_view text_;
    std::vector<std::size_t> starts_{0};
};

/// The arguments of a call: what stands between its parentheses, divided by its commas.
using Arguments = std::vector<std::span<const Token>>;

class Examiner {
  public:
    Examiner(std::string_view text, Proxy proxy) : proxy_(proxy), places_(text), tokens_(read_tokens(text)) {}

    std::vector<Finding> run() {
        for (const std::string_view file : tokens_.includes) {
            add(file, Verdict::unknown, std::string(file),
                "'" + shown(file) + "' is included, and is not read here: check it too");
        }
        note_assignments();
        for (std::size_t i = 0; i < tokens_.all.size(); ++i) read_call(i);
        const auto order = [](const Finding& f) { return std::tie(f.line, f.column, f.verdict, f.subject, f.message); };
        std::ranges::sort(findings_, {}, order);
        const auto repeated = std::ranges::unique(findings_);  // a define is read for each call that names it
        findings_.erase(repeated.begin(), repeated.end());
        return std::move(findings_);
    }

  private:
    static std::string shown(std::string_view text) { return text::printable(text, 80); }

    void add(std::string_view place, Verdict verdict, std::string subject, std::string message) {
        if (findings_.size() == most_findings) return;
        const auto [line, column] = places_.of(place);
        findings_.push_back({.line = line,
                             .column = column,
                             .verdict = verdict,
                             .subject = std::move(subject),
                             .message = std::move(message)});
    }

    static bool is_mark(const Token& token, std::string_view mark) {
        return token.kind == Kind::mark && token.value == mark;
    }

    /// What is assigned to each variable; what is assigned to rtp_relay's own are flags by themselves.
    void note_assignments() {
        const std::vector<Token>& all = tokens_.all;
        for (std::size_t i = 0; i + 1 < all.size(); ++i) {
            if (all[i].kind != Kind::variable || !is_mark(all[i + 1], "=")) continue;
            std::size_t end = i + 2;
            while (end < all.size() && !is_mark(all[end], ";") && !is_mark(all[end], "}")) ++end;
            const std::span<const Token> value(all.data() + i + 2, end - i - 2);
            assigned_[all[i].value].push_back(value);
            if (all[i].value.starts_with("$rtp_relay")) read_flags(value, Argument::offer_flags, all[i].value);
            i = end - 1;
        }
    }

    /// A call of a function that is known, or a modparam(), that begins there.
    void read_call(std::size_t i) {
        const std::vector<Token>& all = tokens_.all;
        if (all[i].kind != Kind::word || i + 1 == all.size() || !is_mark(all[i + 1], "(")) return;
        const std::string_view name = all[i].value;
        if (name == "modparam" || name == "modparamx") return read_parameter(arguments(i + 1));
        const Function* function = find_function(name);
        if (function == nullptr) return;
        add(name, function->verdict, std::string(name) + "()",
            std::string(name) + "() " + std::string(function->remark));
        const Arguments given = arguments(i + 1);
        if (function->argument != Argument::nothing && !given.empty()) read_flags(given[0], function->argument, name);
    }

    [[nodiscard]] Arguments arguments(std::size_t open) const {
        const std::vector<Token>& all = tokens_.all;
        Arguments found;
        std::size_t depth = 1;
        std::size_t start = open + 1;
        std::size_t i = start;
        const auto end_argument = [&] { found.emplace_back(all.data() + start, i - start); };
        for (; i < all.size() && !is_mark(all[i], ";"); ++i) {
            if (is_mark(all[i], "(")) ++depth;
            if (is_mark(all[i], ")") && --depth == 0) break;
            if (depth != 1 || !is_mark(all[i], ",")) continue;
            end_argument();
            start = i + 1;
        }
        if (i > start || !found.empty()) end_argument();
        return found;
    }

    /// With the values of defines for their names.
    [[nodiscard]] std::vector<Token> expanded(std::span<const Token> tokens) const {
        std::vector<Token> result;
        for (const Token& token : tokens) expand(token, 0, result);
        return result;
    }

    void expand(const Token& token, unsigned depth, std::vector<Token>& result) const {
        const auto define =
            token.kind == Kind::word && depth < 4 ? tokens_.defines.find(token.value) : tokens_.defines.end();
        if (result.size() > 1000) return;
        if (define == tokens_.defines.end()) {
            result.push_back(token);
            return;
        }
        for (const Token& part : define->second) expand(part, depth + 1, result);
    }

    /// Strings of flags, joined with others and with variables. `place` is where what has no place of its own is told.
    void read_flags(std::span<const Token> tokens, Argument argument, std::string_view place) {
        Joined joined;
        for (const Token& token : expanded(tokens)) {
            if (token.kind == Kind::text) {
                for (const Token& part : read_string(token.value)) read_part(part, argument, joined);
            } else if (token.kind == Kind::variable) {
                read_part(token, argument, joined);
            } else if (token.kind == Kind::word) {
                cannot_tell(place, token.value);
            }
        }
    }

    /// Where a string ended, for what is joined to it.
    struct Joined {
        std::string key;            ///< "label=", whose value comes next
        std::string_view key_at;    ///< where that is
        bool within_value = false;  ///< up to the next space it goes on with a value that is not known
    };

    void read_part(const Token& part, Argument argument, Joined& joined) {
        if (part.kind == Kind::variable) {
            if (joined.key.empty()) return read_variable(part.value, argument);
            joined.within_value = true;
            return read_open_value(std::exchange(joined.key, {}), part.value, joined.key_at);
        }
        const auto rewritten = substituted(part.value);
        std::string_view text = rewritten ? std::string_view(*rewritten) : part.value;
        if (std::exchange(joined.within_value, false)) text.remove_prefix(std::min(text.find(' '), text.size()));
        const std::size_t last = text.rfind(' ') == std::string_view::npos ? 0 : text.rfind(' ') + 1;
        const std::string_view tail = text.substr(last);
        if (argument != Argument::letters && tail.ends_with('=')) {
            joined.key = tail;
            joined.key_at = rewritten ? part.value : tail;
            text = text.substr(0, last);
        }
        read_words(text, rewritten ? part.value : std::string_view(), argument);
    }

    /// A key whose value is a variable.
    void read_open_value(const std::string& key, std::string_view variable, std::string_view place) {
        const ng::Flag* any = ng::find_flag(key + "-");
        const std::string subject = shown(key) + shown(variable);
        if (any != nullptr && any->support == ng::Support::supported) {
            return add(place, Verdict::works, subject, "'" + subject + "' works: " + std::string(any->remark));
        }
        add(place, Verdict::unknown, subject, "'" + subject + "': what the variable has then cannot be told");
    }

    void cannot_tell(std::string_view place, std::string_view what) {
        add(place, Verdict::unknown, shown(what),
            "'" + shown(what) + "' is not in this file: what it stands for cannot be told");
    }

    /// What was assigned to it anywhere, once.
    void read_variable(std::string_view name, Argument argument) {
        const auto values = assigned_.find(name);
        if (values == assigned_.end()) return cannot_tell(name, name);
        if (!seen_.insert(name).second) return;
        for (const std::span<const Token> value : values->second) read_flags(value, argument, name);
    }

    /// `#!subst` in a string; nothing where there is none.
    [[nodiscard]] std::optional<std::string> substituted(std::string_view text) const {
        std::string result(text);
        for (const auto& [from, to] : tokens_.substitutions) {
            for (std::size_t at = result.find(from); at != std::string::npos && result.size() < 10'000;
                 at = result.find(from, at + to.size())) {
                result.replace(at, from.size(), to);
            }
        }
        return result == text ? std::nullopt : std::optional(std::move(result));
    }

    /// `place`: where each word is told to be; empty: where it is.
    void read_words(std::string_view text, std::string_view place, Argument argument) {
        if (argument == Argument::letters) return read_letters(text, place);
        std::size_t depth = 0;
        std::size_t start = 0;
        for (std::size_t i = 0; i <= text.size(); ++i) {
            const char c = i == text.size() ? ' ' : text[i];
            if (c == '[') ++depth;
            if (c == ']' && depth > 0) --depth;
            const bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
            if (i < text.size() && (!space || depth > 0)) continue;
            if (i > start) {
                const std::string_view word = text.substr(start, i - start);
                read_flag(word, place.empty() ? word : place, argument);
            }
            start = i + 1;
        }
    }

    /// A flag by itself is given to what reads requests: it says the same here as there.
    void read_flag(std::string_view word, std::string_view place, Argument argument) {
        const char* const command = argument == Argument::answer_flags  ? "answer"
                                    : argument == Argument::other_flags ? "delete"
                                                                        : "offer";
        const auto request = ng::read_request({{"command", command},
                                               {"call-id", "c"},
                                               {"from-tag", "f"},
                                               {"to-tag", "t"},
                                               {"sdp", "v=0"},
                                               {"rtpp-flags", std::string(word)}});
        const std::string subject = shown(word);
        if (!request) return add(place, Verdict::refused, subject, "'" + subject + "': " + request.error().message);
        if (!request->refusal.empty()) return add(place, Verdict::refused, subject, request->refusal);
        for (const std::string& warning : request->warnings) add(place, Verdict::ignored, subject, warning);
        if (!request->warnings.empty()) return;
        const ng::Flag* flag = ng::find_flag(word);
        if (flag == nullptr) return add(place, Verdict::works, subject, "'" + subject + "' works");
        if (argument == Argument::other_flags && flag->support != ng::Support::supported) {
            return add(place, Verdict::ignored, subject, "'" + subject + "' means nothing here");
        }
        const Verdict verdict = flag->support == ng::Support::supported   ? Verdict::works
                                : flag->support == ng::Support::unchanged ? Verdict::depends
                                                                          : Verdict::ignored;
        const char* const what = verdict == Verdict::works     ? "' works: "
                                 : verdict == Verdict::depends ? "' works "
                                                               : "' is ignored: ";
        add(place, verdict, subject, "'" + subject + what + std::string(flag->remark));
    }

    void read_letters(std::string_view text, std::string_view place) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char c = text[i];
            if (c == ' ') continue;
            const std::string_view letter = text.substr(i, 1);
            const Letter* known = find_letter(text::lower(c), proxy_);
            const std::string subject = shown(letter);
            const std::string_view where = place.empty() ? letter : place;
            if (known == nullptr) {
                add(where, Verdict::unknown, subject, "'" + subject + "' is no flag of this module");
            } else if (known->verdict == Verdict::refused) {
                add(where, known->verdict, subject, "'" + subject + "' " + std::string(known->remark));
            } else {
                const char* const what = known->verdict == Verdict::works ? "' works: " : "' is ignored: ";
                add(where, known->verdict, subject, "'" + subject + what + std::string(known->remark));
            }
            // Numbers that belong to a letter.
            if (known != nullptr && (c == 'z' || c == 'Z' || c == 't' || c == 'T' || c == 'd' || c == 'D')) {
                while (i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9') ++i;
            }
        }
    }

    void read_parameter(const Arguments& given) {
        if (given.size() < 3) return;
        const std::vector<Token> module = expanded(given[0]);
        const std::vector<Token> name = expanded(given[1]);
        if (module.size() != 1 || name.size() != 1) return;
        for (const std::string_view one : text::split(module[0].value, '|')) {
            const Parameter* parameter = find_parameter(one, name[0].value);
            if (parameter == nullptr) continue;
            const std::string subject(name[0].value);
            if (parameter->verdict != Verdict::change) {
                add(name[0].value, parameter->verdict, subject, "'" + subject + "': " + std::string(parameter->remark));
                continue;
            }
            for (const Token& value : expanded(given[2])) {
                if (value.kind == Kind::text) read_sockets(value.value, one);
                if (value.kind == Kind::word || value.kind == Kind::variable) cannot_tell(value.value, value.value);
            }
        }
    }

    /// "1 == udp:127.0.0.1:2223=2 udp:…": sets and weights are the proxy's own.
    void read_sockets(std::string_view value, std::string_view module) {
        const auto rewritten = substituted(value);
        const std::string_view text = rewritten ? std::string_view(*rewritten) : value;
        for (const std::string_view word : text::split(text, ' ')) {
            const std::size_t colon = word.find(':');
            if (colon == std::string_view::npos) continue;
            const std::string_view socket = word.substr(0, word.find('='));
            read_socket(socket, rewritten ? value : socket, module);
        }
    }

    void read_socket(std::string_view socket, std::string_view place, std::string_view module) {
        const std::string_view kind = socket.substr(0, socket.find(':'));
        const std::string subject = shown(socket);
        const bool ng = module == "rtpengine";
        if (kind == "ws" || kind == "wss") {
            return add(
                place, Verdict::refused, subject,
                "'" + subject + "' is not supported: natkit is not spoken to over WebSocket; write udp:127.0.0.1:2223");
        }
        std::string listen(socket);
        if (kind == "udp6" || kind == "tcp6") listen.erase(3, 1);
        if (kind == "cunix") listen.erase(0, 1);
        constexpr std::array kinds{"udp", "udp6", "tcp", "tcp6", "unix", "cunix"};
        if (std::ranges::find(kinds, kind) == kinds.end()) listen.insert(0, "udp:");  // an address alone
        add(place, Verdict::change, subject,
            "the line to change: natkit answers there with [" + std::string(ng ? "ng" : "rtpproxy") + "] listen = [\"" +
                shown(listen) +
                "\"] in natkit.toml, once the other relay has left that port; or give natkit a port of its own, in "
                "both");
    }

    Proxy proxy_;
    Places places_;
    Tokens tokens_;
    std::map<std::string_view, std::vector<std::span<const Token>>> assigned_;
    std::set<std::string_view> seen_;  ///< variables whose values have been read
    std::vector<Finding> findings_;
};

}  // namespace

const char* to_string(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::works: return "works";
        case Verdict::depends: return "depends";
        case Verdict::ignored: return "ignored";
        case Verdict::refused: return "refused";
        case Verdict::unknown: return "unknown";
        case Verdict::change: break;
    }
    return "change";
}

std::vector<Finding> examine(std::string_view text, Proxy proxy) {
    return Examiner(text, proxy).run();
}

}  // namespace natkit::migrate
