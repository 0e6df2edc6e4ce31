#include "natkit/rtpproxy/command.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::rtpproxy {
namespace {

constexpr std::string_view version = "20040107";
constexpr std::array<std::string_view, 9> features{version,    "20050322", "20060704", "20080403", "20081102",
                                                   "20090810", "20141004", "20150330", "20150420"};
constexpr std::size_t longest_line = 8192;
constexpr std::size_t most_counters = 32;
constexpr int bad_syntax = 5;
constexpr int bad_arguments = 1;
constexpr int bad_modifiers = 2;
constexpr int bad_subcommand = 3;

/// How many words a command may have, itself included, and where its tags are.
struct Shape {
    char letter;
    Verb verb;
    std::size_t least;
    std::size_t most;
    std::size_t from;  ///< 0: it has none
};

constexpr std::array shapes{Shape{'u', Verb::update, 5, 8, 4},    Shape{'l', Verb::lookup, 5, 6, 4},
                            Shape{'d', Verb::remove, 3, 4, 2},    Shape{'q', Verb::query, 3, 4 + most_counters, 2},
                            Shape{'v', Verb::version, 1, 1, 0},   Shape{'i', Verb::info, 1, 1, 0},
                            Shape{'x', Verb::remove_all, 1, 1, 0}};
constexpr Shape feature_shape{'v', Verb::feature, 2, 2, 0};

std::unexpected<Refusal> refuse(int number, std::string message) {
    return std::unexpected(Refusal{.number = number, .message = std::move(message)});
}

std::string quoted(std::string_view text) {
    return "'" + text::printable(text, 80) + "'";
}

Tag read_tag(std::string_view text) {
    const std::size_t semicolon = text.rfind(';');
    if (semicolon != std::string_view::npos) {
        if (const auto stream = text::parse_number(text.substr(semicolon + 1), 65535); stream && *stream > 0) {
            return {.text = std::string(text.substr(0, semicolon)), .stream = static_cast<unsigned>(*stream)};
        }
    }
    return {.text = std::string(text), .stream = std::nullopt};
}

/// The modifiers of U and L, letter after letter.
class Modifiers {
  public:
    Modifiers(std::string_view text, Command& command) : text_(text), command_(command) {}

    std::expected<void, Refusal> read() {
        while (!text_.empty()) {
            const char letter = text::lower(text_.front());
            text_.remove_prefix(1);
            if (int number = 0; !take(letter, number)) {
                return refuse(number, "modifier " + quoted({&letter, 1}) + " is not known, or its value is bad");
            }
        }
        return {};
    }

  private:
    /// False: `number` says why.
    bool take(char letter, int& number) {
        switch (letter) {
            case 'a': return command_.asymmetric = true;
            case 's': command_.asymmetric = false; return true;
            case 'w': return command_.weak = true;
            case 'n': return command_.new_port = true;
            case '6': command_.family = Family::ipv6; return true;
            case 'e': number = 11; return side(Interface::external);
            case 'i': number = 12; return side(Interface::internal);
            case 'z': number = 13; return packet_time();
            case 'c': number = 14; return !take_while("0123456789,").empty();
            case 'l': number = 15; return local();
            case 'r': number = 16; return (command_.facing = address()).has_value();
            default: number = 35; return false;
        }
    }

    std::string_view take_while(std::string_view letters) {
        const std::size_t end = std::min(text_.find_first_not_of(letters), text_.size());
        const std::string_view taken = text_.substr(0, end);
        text_.remove_prefix(end);
        return taken;
    }

    bool side(Interface interface) {
        if (command_.interfaces.size() == 2) return false;
        command_.interfaces.push_back(interface);
        return true;
    }

    bool packet_time() {
        const auto milliseconds = text::parse_number(take_while("0123456789"), 999);
        return milliseconds && *milliseconds > 0;
    }

    /// IPv4, or IPv6 in brackets.
    std::optional<IpAddress> address() {
        std::string_view taken;
        if (text_.starts_with('[')) {
            const std::size_t end = text_.find(']');
            if (end == std::string_view::npos) return std::nullopt;
            taken = text_.substr(0, end + 1);
            text_.remove_prefix(end + 1);
        } else {
            taken = take_while("0123456789.");
        }
        const auto address = IpAddress::parse(taken);
        return address ? std::optional(*address) : std::nullopt;
    }

    bool local() {
        if (!text_.starts_with('{')) return (command_.local = address()).has_value();
        const std::size_t end = text_.find('}');
        if (end == std::string_view::npos || end == 1) return false;
        command_.local_label = text_.substr(1, end - 1);
        text_.remove_prefix(end + 1);
        return true;
    }

    std::string_view text_;
    Command& command_;
};

std::expected<void, Refusal> read_remote(std::string_view address, std::string_view port, Command& command) {
    const auto number = text::parse_number(port, 65535);
    const auto parsed = IpAddress::parse(address);
    if (!number || !parsed || parsed->family() != command.family) {
        return refuse(37, "no address and port: " + quoted(address) + " " + quoted(port));
    }
    command.on_hold = parsed->is_unspecified();
    if (!command.on_hold) command.remote = {.address = *parsed, .port = static_cast<std::uint16_t>(*number)};
    return {};
}

std::expected<void, Refusal> read_modifiers(std::string_view modifiers, Command& command) {
    const auto only = [&](std::string_view letters, int number) -> std::expected<void, Refusal> {
        const std::size_t other = modifiers.find_first_not_of(letters);
        if (other == std::string_view::npos) return {};
        return refuse(number, "modifier " + quoted(modifiers.substr(other, 1)) + " is not known");
    };
    switch (command.verb) {
        case Verb::update:
        case Verb::lookup: return Modifiers(modifiers, command).read();
        case Verb::remove: command.weak = !modifiers.empty(); return only("wW", 8);
        case Verb::query: command.verbose = !modifiers.empty(); return only("vV", 19);
        case Verb::info: return only("bBlL", 18);
        case Verb::version:
        case Verb::feature:
        case Verb::remove_all: break;
    }
    if (modifiers.empty()) return {};
    return refuse(bad_modifiers, "modifiers: " + quoted(modifiers));
}

/// Null: no such command, or one that natkit does not have (play, record, copy, …).
const Shape* shape_of(std::string_view word) {
    if (text::istarts_with(word, "vf")) return &feature_shape;
    const auto found = std::ranges::find(shapes, text::lower(word.front()), &Shape::letter);
    return found == shapes.end() ? nullptr : found;
}

std::expected<Command, Refusal> read_words(const std::vector<std::string_view>& words, const Shape& shape) {
    Command command{.verb = shape.verb};
    const std::size_t letters = shape.verb == Verb::feature ? 2 : 1;
    if (const auto read = read_modifiers(words[0].substr(letters), command); !read) {
        return std::unexpected(read.error());
    }
    if (shape.verb == Verb::feature) command.feature = words[1];
    if (shape.from == 0) return command;
    command.call_id = words[1];
    command.from = read_tag(words[shape.from]);
    if (words.size() > shape.from + 1) command.to = read_tag(words[shape.from + 1]);
    if (shape.verb == Verb::query && words.size() > 4) command.counters.assign(words.begin() + 4, words.end());
    if (shape.verb == Verb::update || shape.verb == Verb::lookup) {
        if (const auto read = read_remote(words[2], words[3], command); !read) return std::unexpected(read.error());
    }
    return command;
}

}  // namespace

std::expected<Command, Refusal> parse_command(std::string_view line) {
    if (line.size() > longest_line) return refuse(25, "a line of " + std::to_string(line.size()) + " bytes");
    if (line.find('\0') != std::string_view::npos) return refuse(bad_syntax, "a zero byte");
    std::vector<std::string_view> words;
    for (std::string_view rest = text::trim(line); !rest.empty();) {
        const std::size_t end = std::min(rest.find_first_of(" \t\r\n"), rest.size());
        words.push_back(rest.substr(0, end));
        rest = text::trim(rest.substr(end));
    }
    if (words.empty()) return refuse(bad_syntax, "no command");
    const Shape* shape = shape_of(words[0]);
    if (shape == nullptr) return refuse(unknown_command, "command " + quoted(words[0]) + " is not supported");
    if (std::ranges::find(words, "&&") != words.end()) return refuse(bad_subcommand, "&& is not supported");
    if (words.size() < shape->least || words.size() > shape->most) {
        return refuse(bad_arguments,
                      "command " + quoted(words[0]) + " with " + std::to_string(words.size() - 1) + " arguments");
    }
    return read_words(words, *shape);
}

bool knows_feature(std::string_view date) noexcept {
    return std::ranges::find(features, date) != features.end();
}

std::string port_reply(const Endpoint& local) {
    return std::to_string(local.port) + " " + to_string(local.address) + (local.address.is_v4() ? "\n" : " 6\n");
}

std::string number_reply(std::uint64_t number) {
    return std::to_string(number) + "\n";
}

std::string error_reply(int number) {
    return "E" + std::to_string(number) + "\n";
}

}  // namespace natkit::rtpproxy
