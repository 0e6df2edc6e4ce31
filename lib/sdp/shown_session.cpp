#include "natkit/sdp/shown_session.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "natkit/base/hash.hpp"
#include "natkit/base/text.hpp"

namespace natkit::sdp {
namespace {

constexpr std::size_t longest_word = 256;  ///< bytes: it is remembered as long as the call lasts

/// The value of the first line of a type in the session part; empty and at the end of `text`: there is none.
std::string_view session_line(std::string_view text, char type) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find_first_of("\r\n", at), text.size());
        const std::string_view line = text.substr(at, end - at);
        if (line.starts_with("m=")) break;
        if (line.size() >= 2 && line[0] == type && line[1] == '=') return line.substr(2);
        at = std::min(text.find_first_not_of("\r\n", end), text.size());
    }
    return text.substr(text.size());
}

/// A description in five parts: what is between and behind them stays.
struct Parts {
    std::string_view text;
    std::array<std::string_view, 3> origin;  ///< user name, session id, version
    std::string_view name;
    std::uint64_t version = 0;

    /// False: there is no good o=.
    bool read() {
        std::string_view rest = session_line(text, 'o');
        for (std::string_view& word : origin) {
            const std::size_t end = rest.find(' ');
            if (end > longest_word) return false;
            word = rest.substr(0, end);
            rest.remove_prefix(end + 1);
        }
        const auto number = text::parse_number(origin[2], std::numeric_limits<std::int64_t>::max());
        if (!number) return false;
        version = *number;
        name = session_line(text, 's');
        return name.size() <= longest_word;
    }

    [[nodiscard]] bool has_name() const { return name.data() != text.data() + text.size(); }

    /// The description with other words in their places, and what it is without the version.
    [[nodiscard]] std::string with(const ShownSession& shown, std::uint64_t& digest) const {
        std::string made;
        made.reserve(text.size() + 32);
        std::size_t at = 0;
        const auto put = [&](std::string_view place, std::string_view word) {
            const auto begin = static_cast<std::size_t>(place.data() - text.data());
            made.append(text.substr(at, begin - at)).append(word);
            at = begin + place.size();
        };
        const bool named_first = name.data() < origin[0].data();
        if (named_first) put(name, shown.session_name);
        put(origin[0], shown.user_name);
        put(origin[1], shown.session_id);
        put(origin[2], "");
        const std::size_t place = made.size();
        if (!named_first) put(name, shown.session_name);
        made.append(text.substr(at));
        digest = hash::fnv(hash::fnv_basis, made);
        return made.insert(place, std::to_string(shown.version));
    }
};

}  // namespace

std::string keep_session(const std::string& description, const SessionKeeping& keeping,
                         std::optional<ShownSession>& shown) {
    Parts parts{.text = description, .origin = {}, .name = {}};
    if ((!keeping.any() && !shown) || !parts.read()) return description;
    ShownSession next{.user_name = std::string(parts.origin[0]),
                      .session_id = std::string(parts.origin[1]),
                      .version = parts.version,
                      .session_name = std::string(parts.name)};
    if (shown) {
        if (keeping.user_name) next.user_name = shown->user_name;
        if (keeping.session_id) next.session_id = shown->session_id;
        if (keeping.session_name && parts.has_name()) next.session_name = shown->session_name;
        if (keeping.version) next.version = shown->version;
        if (keeping.increment) next.version = shown->version + 1;
    }
    std::string made = parts.with(next, next.digest);
    if (shown && keeping.version && !keeping.increment && next.digest != shown->digest) {
        ++next.version;
        made = parts.with(next, next.digest);
    }
    shown = std::move(next);
    return made;
}

}  // namespace natkit::sdp
