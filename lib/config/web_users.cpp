#include "natkit/config/web_users.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "natkit/base/text.hpp"

namespace natkit::config {
namespace {

constexpr std::size_t most_bytes_of_users = std::size_t{1} << 20;

}  // namespace

bool is_web_user_name(std::string_view name) noexcept {
    const auto good = [](char c) {
        return (c >= '0' && c <= '9') || (text::lower(c) >= 'a' && text::lower(c) <= 'z') || c == '.' || c == '_' ||
               c == '-' || c == '@';
    };
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, good);
}

Result<WebUsers> parse_web_users(std::string_view text, std::string_view name) {
    WebUsers users;
    std::size_t number = 0;
    for (const std::string_view raw : text::split(text, '\n')) {
        ++number;
        const std::string_view line = text::trim(raw);
        if (line.empty() || line.front() == '#') continue;
        const std::size_t colon = line.find(':');
        const std::string_view user = line.substr(0, colon);
        const std::string where = std::string(name) + ":" + std::to_string(number);
        // What stands in the line is not quoted: it may be a password.
        if (colon == std::string_view::npos || !is_web_user_name(user)) {
            return fail(Errc::bad_input, "not a user; natkit web passwd writes the line", where);
        }
        if (!users.try_emplace(std::string(user), line.substr(colon + 1)).second) {
            return fail(Errc::bad_input, "'" + std::string(user) + "' is there twice; keep one line", where);
        }
    }
    return users;
}

std::string to_text(const WebUsers& users) {
    std::string text = "# Users of the pages (natkit-web): written by natkit web passwd.\n";
    for (const auto& [name, record] : users) text.append(name).append(":").append(record).append("\n");
    return text;
}

Result<WebUsers> load_web_users(const std::string& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file && errno == ENOENT) return WebUsers{};
    if (!file) return fail_errno(path, errno);
    std::ostringstream content;
    content << file.rdbuf();
    if (file.bad() || content.view().size() > most_bytes_of_users) {
        return fail(Errc::system, "cannot be read, or is above 1 MB", path);
    }
    return parse_web_users(content.view(), path);
}

}  // namespace natkit::config
