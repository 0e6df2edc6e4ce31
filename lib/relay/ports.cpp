#include "natkit/relay/ports.hpp"

#include <algorithm>
#include <cassert>

#include "natkit/base/text.hpp"

namespace natkit::relay {
namespace {

std::uint16_t sibling(std::uint16_t port) noexcept {
    return port ^ 1U;
}
std::uint16_t even(std::uint16_t port) noexcept {
    return port & 0xfffeU;
}

}  // namespace

Result<PortRange> PortRange::parse(std::string_view text) {
    const auto dash = text.find('-');
    const auto number = [](std::string_view part) { return text::parse_number(text::trim(part), 65535); };
    const auto first = dash == std::string_view::npos ? std::nullopt : number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? std::nullopt : number(text.substr(dash + 1));
    if (!first || !last || *first == 0 || *first > *last) {
        return fail(Errc::bad_config,
                    "not a port range: '" + text::printable(text, 40) + "'; write it as '16384-32767'");
    }
    const PortRange range{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
    if ((range.first + 1) / 2 * 2 + 1 > range.last) {
        return fail(Errc::bad_config,
                    "port range '" + std::string(text) + "' holds no pair of an even port and the next");
    }
    return range;
}

void Ports::Bag::add(std::uint16_t index) {
    place_[index] = static_cast<std::uint32_t>(items_.size());
    items_.push_back(index);
}

void Ports::Bag::remove(std::uint16_t index) {
    const std::uint32_t at = place_[index];
    assert(at != absent);
    items_[at] = items_.back();
    place_[items_[at]] = at;
    items_.pop_back();
    place_[index] = absent;
}

std::uint16_t Ports::Bag::pick(const Random& random) const {
    return items_[random(static_cast<std::uint32_t>(items_.size()))];
}

// The range is widened to whole pairs only inwards: a lone odd first or even last port is left out.
Ports::Ports(PortRange range)
    : first_(static_cast<std::uint16_t>((range.first + 1) & ~1)),
      state_((range.last % 2 == 1 ? range.last : range.last - 1) - first_ + 1, State::free),
      whole_pairs_(state_.size()),
      halves_(state_.size()) {
    for (std::size_t i = 0; i < state_.size(); i += 2) whole_pairs_.add(static_cast<std::uint16_t>(i));
}

void Ports::make_free(std::uint16_t port) {
    state_[index(port)] = State::free;
    if (state_[index(sibling(port))] == State::free) {
        halves_.remove(static_cast<std::uint16_t>(index(sibling(port))));
        whole_pairs_.add(static_cast<std::uint16_t>(index(even(port))));
    } else {
        halves_.add(static_cast<std::uint16_t>(index(port)));
    }
}

void Ports::unfree(std::uint16_t port) {
    if (state_[index(sibling(port))] == State::free) {
        whole_pairs_.remove(static_cast<std::uint16_t>(index(even(port))));
        halves_.add(static_cast<std::uint16_t>(index(sibling(port))));
    } else {
        halves_.remove(static_cast<std::uint16_t>(index(port)));
    }
}

void Ports::warm_up(Instant now) {
    while (!cooling_.empty()) {
        const Duration wait = free() * 10 < total() ? short_cool_down : cool_down;
        if (now - cooling_.front().since < wait) return;
        end_cooling(cooling_.front());
        cooling_.pop_front();
    }
}

void Ports::end_cooling(const Cooling& entry) {
    const unsigned last = entry.port + (entry.kind == Kind::pair ? 1U : 0U);
    for (unsigned port = entry.port; port <= last; ++port) {
        --cooling_ports_;
        make_free(static_cast<std::uint16_t>(port));
    }
}

void Ports::mark_used(Kind kind, std::uint16_t port) {
    for (unsigned wide = port; wide < port + (kind == Kind::pair ? 2U : 1U); ++wide) {
        const auto p = static_cast<std::uint16_t>(wide);  // 65535 has no successor
        unfree(p);
        state_[index(p)] = State::used;
        ++in_use_;
    }
}

Result<std::uint16_t> Ports::take(Kind kind, Instant now, const Random& random) {
    warm_up(now);
    const bool half = kind == Kind::single && !halves_.empty();
    if (!half && whole_pairs_.empty()) {
        std::string message = "all " + std::to_string(total()) + " ports are in use";
        if (!cooling_.empty()) {
            const auto wait =
                std::chrono::ceil<std::chrono::milliseconds>(cooling_.front().since + short_cool_down - now);
            message = "no port is free: " + std::to_string(in_use()) + " of " + std::to_string(total()) + " in use, " +
                      std::to_string(cooling()) + " cooling down, the first for another " +
                      natkit::to_string(std::max(wait, std::chrono::milliseconds(1)));
        }
        return fail(Errc::exhausted, std::move(message));
    }
    const auto port = static_cast<std::uint16_t>(first_ + (half ? halves_ : whole_pairs_).pick(random));
    mark_used(kind, port);
    return port;
}

bool Ports::take_exactly(Kind kind, std::uint16_t port) {
    const std::uint32_t last = port + (kind == Kind::pair ? 1U : 0U);
    if (port < first_ || index(static_cast<std::uint16_t>(std::min(last, 65535U))) >= state_.size() || last > 65535)
        return false;
    if (kind == Kind::pair && port % 2 != 0) return false;
    for (std::uint32_t p = port; p <= last; ++p) {
        if (state_[index(static_cast<std::uint16_t>(p))] == State::used) return false;
    }
    std::erase_if(cooling_, [&](const Cooling& c) {
        const bool apart = c.port > last || c.port + (c.kind == Kind::pair ? 1U : 0U) < port;
        if (!apart) end_cooling(c);
        return !apart;
    });
    mark_used(kind, port);
    return true;
}

void Ports::give_back(Kind kind, std::uint16_t port, Instant now) {
    for (unsigned wide = port; wide < port + (kind == Kind::pair ? 2U : 1U); ++wide) {
        const auto p = static_cast<std::uint16_t>(wide);  // 65535 has no successor
        assert(state_[index(p)] == State::used);
        state_[index(p)] = State::cooling;
        --in_use_;
        ++cooling_ports_;
    }
    cooling_.push_back({kind, port, now});
}

}  // namespace natkit::relay
