#include "natkit/base/ip.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

#include "natkit/base/text.hpp"

namespace natkit {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<std::uint32_t> parse_v4(std::string_view text) {
    std::uint32_t value = 0;
    for (int part = 0; part < 4; ++part) {
        if (part > 0) {
            if (text.empty() || text.front() != '.') return std::nullopt;
            text.remove_prefix(1);
        }
        std::size_t digits = 0;
        unsigned octet = 0;
        while (digits < text.size() && digits < 4 && text[digits] >= '0' && text[digits] <= '9') {
            octet = octet * 10 + static_cast<unsigned>(text[digits] - '0');
            ++digits;
        }
        const bool leading_zero = digits > 1 && text.front() == '0';
        if (digits == 0 || digits > 3 || octet > 255 || leading_zero) return std::nullopt;
        value = value << 8 | octet;
        text.remove_prefix(digits);
    }
    if (!text.empty()) return std::nullopt;
    return value;
}

std::optional<std::uint16_t> parse_group(std::string_view text) {
    if (text.empty() || text.size() > 4) return std::nullopt;
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// The groups of one side of "::", an IPv4 tail allowed where `tail` says so.
std::optional<std::vector<std::uint16_t>> parse_groups(std::string_view text, bool tail) {
    std::vector<std::uint16_t> groups;
    if (text.empty()) return groups;
    const auto parts = text::split(text, ':');
    if (parts.size() > 8) return std::nullopt;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (tail && i + 1 == parts.size() && parts[i].find('.') != std::string_view::npos) {
            const auto quad = parse_v4(parts[i]);
            if (!quad) return std::nullopt;
            groups.push_back(static_cast<std::uint16_t>(*quad >> 16));
            groups.push_back(static_cast<std::uint16_t>(*quad & 0xffff));
            continue;
        }
        const auto group = parse_group(parts[i]);
        if (!group) return std::nullopt;
        groups.push_back(*group);
    }
    return groups;
}

std::optional<std::array<std::uint8_t, 16>> parse_v6(std::string_view text) {
    const std::size_t gap = text.find("::");
    std::optional<std::vector<std::uint16_t>> head;
    std::optional<std::vector<std::uint16_t>> rest;
    if (gap == std::string_view::npos) {
        head = parse_groups(text, true);
        rest = std::vector<std::uint16_t>{};
        if (!head || head->size() != 8) return std::nullopt;
    } else {
        if (text.find("::", gap + 1) != std::string_view::npos) return std::nullopt;
        head = parse_groups(text.substr(0, gap), false);
        rest = parse_groups(text.substr(gap + 2), true);
        if (!head || !rest || head->size() + rest->size() > 7) return std::nullopt;
    }
    std::array<std::uint8_t, 16> bytes{};
    const auto put = [&bytes](std::size_t index, std::uint16_t group) {
        bytes[index * 2] = static_cast<std::uint8_t>(group >> 8);
        bytes[index * 2 + 1] = static_cast<std::uint8_t>(group & 0xff);
    };
    for (std::size_t i = 0; i < head->size(); ++i) put(i, (*head)[i]);
    for (std::size_t i = 0; i < rest->size(); ++i) put(8 - rest->size() + i, (*rest)[i]);
    return bytes;
}

char* write_v4(char* out, std::span<const std::uint8_t> bytes) noexcept {
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0) *out++ = '.';
        const unsigned byte = bytes[i];
        if (byte >= 100) *out++ = static_cast<char>('0' + byte / 100);
        if (byte >= 10) *out++ = static_cast<char>('0' + byte / 10 % 10);
        *out++ = static_cast<char>('0' + byte % 10);
    }
    return out;
}

char* write_v6(char* out, std::span<const std::uint8_t> bytes) noexcept {
    std::array<unsigned, 8> groups{};
    for (std::size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(bytes[i * 2] << 8 | bytes[i * 2 + 1]);
    // RFC 5952 section 4.2: the longest run of zero groups, the first of equals, never a single one.
    std::size_t best = 8;
    std::size_t best_length = 1;
    for (std::size_t i = 0; i < 8; ++i) {
        std::size_t length = 0;
        while (i + length < 8 && groups[i + length] == 0) ++length;
        if (length > best_length) {
            best = i;
            best_length = length;
        }
        if (length > 0) i += length - 1;
    }
    for (std::size_t i = 0; i < 8;) {
        if (i == best) {
            *out++ = ':';
            *out++ = ':';
            i += best_length;
            continue;
        }
        if (i > 0 && i != best + best_length) *out++ = ':';
        out = std::to_chars(out, out + 4, groups[i], 16).ptr;
        ++i;
    }
    return out;
}

/// How many leading bits two addresses of one family share.
std::size_t common_prefix(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
    std::size_t bits = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto difference = static_cast<std::uint8_t>(a[i] ^ b[i]);
        if (difference == 0) {
            bits += 8;
            continue;
        }
        return bits + static_cast<std::size_t>(std::countl_zero(difference));
    }
    return bits;
}

}  // namespace

const char* to_string(Family family) noexcept {
    return family == Family::ipv4 ? "ipv4" : "ipv6";
}

IpAddress IpAddress::v4(std::uint32_t host_order) noexcept {
    IpAddress address;
    for (unsigned i = 0; i < 4; ++i) address.bytes_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) noexcept {
    IpAddress address;
    if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin())) {
        std::copy(bytes.begin() + 12, bytes.end(), address.bytes_.begin());
        return address;
    }
    address.family_ = Family::ipv6;
    address.bytes_ = bytes;
    return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    std::string_view bare = text;
    const bool bracketed = bare.size() >= 2 && bare.front() == '[' && bare.back() == ']';
    if (bracketed) bare = bare.substr(1, bare.size() - 2);
    if (!bracketed) {
        if (const auto quad = parse_v4(bare)) return v4(*quad);
    }
    if (bare.size() <= 45 && bare.find(':') != std::string_view::npos) {
        if (const auto bytes = parse_v6(bare)) return v6(*bytes);
    }
    return fail(Errc::bad_input, "not an address: '" + text::printable(text, 60) + "'");
}

std::span<const std::uint8_t> IpAddress::bytes() const noexcept {
    return std::span(bytes_).first(is_v4() ? 4 : 16);
}

bool IpAddress::is_unspecified() const noexcept {
    return std::ranges::all_of(bytes_, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const noexcept {
    if (is_v4()) return bytes_[0] == 127;
    return bytes_[15] == 1 &&
           std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_multicast() const noexcept {
    return is_v4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_link_local() const noexcept {
    return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::is_broadcast() const noexcept {
    return is_v4() && std::all_of(bytes_.begin(), bytes_.begin() + 4, [](std::uint8_t byte) { return byte == 255; });
}

std::string to_string(const IpAddress& address) {
    std::array<char, address_chars> text;  // NOLINT(*-member-init): written below
    return {text.data(), write(text.data(), address)};
}

char* write(char* out, const IpAddress& address) noexcept {
    return address.is_v4() ? write_v4(out, address.bytes()) : write_v6(out, address.bytes());
}

Result<IpRange> IpRange::parse_cidr(std::string_view text, std::size_t slash) {
    const auto base = IpAddress::parse(text.substr(0, slash));
    if (!base) return std::unexpected(base.error());
    const auto prefix = text::parse_number(text.substr(slash + 1), base->is_v4() ? 32 : 128);
    if (!prefix) {
        return fail(Errc::bad_input, "not a prefix length: '" + text::printable(text.substr(slash + 1), 20) + "' in '" +
                                         text::printable(text, 60) + "'");
    }
    IpAddress first = *base;
    IpAddress last = *base;
    for (std::size_t bit = static_cast<std::size_t>(*prefix); bit < base->bytes().size() * 8; ++bit) {
        const auto mask = static_cast<std::uint8_t>(0x80u >> (bit % 8));
        first.bytes_[bit / 8] = static_cast<std::uint8_t>(first.bytes_[bit / 8] & ~mask);
        last.bytes_[bit / 8] = static_cast<std::uint8_t>(last.bytes_[bit / 8] | mask);
    }
    return IpRange(first, last);
}

Result<IpRange> IpRange::parse(std::string_view text) {
    text = text::trim(text);
    if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) return parse_cidr(text, slash);
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) {
        const auto address = IpAddress::parse(text);
        if (!address) return std::unexpected(address.error());
        return single(*address);
    }
    const auto first = IpAddress::parse(text::trim(text.substr(0, dash)));
    if (!first) return std::unexpected(first.error());
    const auto last = IpAddress::parse(text::trim(text.substr(dash + 1)));
    if (!last) return std::unexpected(last.error());
    if (first->family() != last->family() || *last < *first) {
        return fail(Errc::bad_input,
                    "not a range, the first address must not lie after the last: '" + text::printable(text, 90) + "'");
    }
    return IpRange(*first, *last);
}

std::string to_string(const IpRange& range) {
    if (range.first() == range.last()) return to_string(range.first());
    const std::size_t bits = common_prefix(range.first().bytes(), range.last().bytes());
    const std::string cidr = to_string(range.first()) + "/" + std::to_string(bits);
    if (const auto network = IpRange::parse(cidr); network && *network == range) return cidr;
    return to_string(range.first()) + "-" + to_string(range.last());
}

Result<RangeSet> RangeSet::parse(std::span<const std::string_view> texts) {
    RangeSet set;
    for (const std::string_view text : texts) {
        auto range = IpRange::parse(text);
        if (!range) return std::unexpected(range.error());
        set.add(*range);
    }
    return set;
}

const IpRange* RangeSet::find(const IpAddress& address) const noexcept {
    const auto found = std::ranges::find_if(ranges_, [&](const IpRange& range) { return range.contains(address); });
    return found == ranges_.end() ? nullptr : &*found;
}

}  // namespace natkit
