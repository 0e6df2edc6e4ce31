#include "natkit/sdp/direction.hpp"

#include <array>

namespace natkit::sdp {
namespace {

constexpr std::array<const char*, 4> direction_words = {"sendrecv", "sendonly", "recvonly", "inactive"};
constexpr std::array<const char*, 4> setup_words = {"active", "passive", "actpass", "holdconn"};

template <class Enum>
std::optional<Enum> find_word(const std::array<const char*, 4>& words, std::string_view word) noexcept {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (word == words[i]) return static_cast<Enum>(i);
    }
    return std::nullopt;
}

}  // namespace

const char* to_string(Direction direction) noexcept {
    return direction_words[static_cast<std::size_t>(direction)];
}

std::optional<Direction> parse_direction(std::string_view word) noexcept {
    return find_word<Direction>(direction_words, word);
}

Direction reversed(Direction direction) noexcept {
    if (direction == Direction::sendonly) return Direction::recvonly;
    if (direction == Direction::recvonly) return Direction::sendonly;
    return direction;
}

bool sends(Direction direction) noexcept {
    return direction == Direction::sendrecv || direction == Direction::sendonly;
}

bool receives(Direction direction) noexcept {
    return direction == Direction::sendrecv || direction == Direction::recvonly;
}

const char* to_string(Setup setup) noexcept {
    return setup_words[static_cast<std::size_t>(setup)];
}

std::optional<Setup> parse_setup(std::string_view word) noexcept {
    return find_word<Setup>(setup_words, word);
}

}  // namespace natkit::sdp
