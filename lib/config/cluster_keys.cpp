#include "natkit/config/cluster_keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "natkit/base/text.hpp"

namespace natkit::config {
namespace {

constexpr std::string_view write_key = "write 64 hexadecimal digits, as `openssl rand -hex 32` gives them";
constexpr std::size_t digits = 64;

Result<ClusterKeys::Key> parse_key(std::string_view line) {
    const std::string key_text = text::lower(line);
    if (key_text.find_first_not_of(text::hex_digits) != std::string::npos)
        return fail(Errc::bad_config, "not a key; " + std::string(write_key));
    if (key_text.size() != digits) {
        return fail(Errc::bad_config,
                    "a key of " + std::to_string(key_text.size()) + " hexadecimal digits; " + std::string(write_key));
    }
    ClusterKeys::Key key{};
    for (std::size_t i = 0; i < key.size(); ++i) {
        const auto byte = text::parse_hex(std::string_view(key_text).substr(2 * i, 2));
        key[i] = static_cast<std::uint8_t>(byte.value_or(0));
    }
    return key;
}

/// Text that was read, or why not.
Result<std::string> read_private(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return fail(Errc::bad_config, std::string(std::strerror(errno)) +
                                          "; write the path of a file of mode 0600 that holds the key of the cluster");
    struct stat status{};
    std::array<char, 4096> bytes{};
    const bool known = ::fstat(file, &status) == 0;
    const auto size = ::read(file, bytes.data(), bytes.size());
    ::close(file);
    if (!known || size < 0 || !S_ISREG(status.st_mode))
        return fail(Errc::bad_config, "cannot be read; write the path of a file of mode 0600");
    if ((status.st_mode & 077) != 0)
        return fail(Errc::bad_config, "readable for others; set its mode to 0600 (chmod 600)");
    if (static_cast<std::size_t>(size) == bytes.size())
        return fail(Errc::bad_config, "not a file of one or two keys; " + std::string(write_key));
    return std::string(bytes.data(), static_cast<std::size_t>(size));
}

}  // namespace

std::expected<ClusterKeys, Problems> parse_cluster_keys(std::string_view text, std::string_view name) {
    Problems problems;
    ClusterKeys keys;
    std::size_t number = 0;
    std::size_t found = 0;
    for (const std::string_view raw : text::split(text, '\n')) {
        ++number;
        const std::string_view line = text::trim(raw);
        if (line.empty()) continue;
        const auto problem = [&](std::string message) {
            problems.push_back({.code = Errc::bad_config,
                                .where = std::string(name) + ":" + std::to_string(number),
                                .message = "[cluster] key: " + std::move(message)});
        };
        const auto key = parse_key(line);
        if (!key) {
            problem(key.error().message);
        } else if (++found > 2) {
            problem("a third key; write two at most: the one to be used, and another that is accepted");
        } else if (found == 1) {
            keys.first = *key;
        } else {
            keys.second = *key;
        }
    }
    if (found == 0 && problems.empty()) {
        problems.push_back({.code = Errc::bad_config,
                            .where = std::string(name),
                            .message = "[cluster] key: no key in it; " + std::string(write_key)});
    }
    if (!problems.empty()) return std::unexpected(std::move(problems));
    return keys;
}

std::expected<ClusterKeys, Problems> load_cluster_keys(const std::string& path) {
    const auto text = read_private(path);
    if (text) return parse_cluster_keys(*text, path);
    return std::unexpected(
        Problems{{.code = Errc::bad_config, .where = path, .message = "[cluster] key: " + text.error().message}});
}

}  // namespace natkit::config
