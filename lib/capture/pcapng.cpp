// pcapng (draft-ietf-opsawg-pcapng): ours, because libpcap refuses files with several link types.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "formats.hpp"

namespace natkit::capture {
namespace {

constexpr std::uint32_t section_header = 0x0a0d0d0a;
constexpr std::uint32_t interface_description = 1;
constexpr std::uint32_t old_packet = 2;
constexpr std::uint32_t simple_packet = 3;
constexpr std::uint32_t enhanced_packet = 6;
constexpr std::size_t most_interfaces = 4096;

struct Interface {
    int link_type = 0;
    std::uint32_t snap_length = 0;
    std::uint64_t units_per_second = 1'000'000;
    std::int64_t offset_seconds = 0;
};

class Pcapng final : public PacketReader::Format {
  public:
    explicit Pcapng(ByteSource from) : Format(std::move(from)) {}

    Result<std::optional<Packet>> next() override {
        while (!ended_) {
            const auto more = read_block();
            if (!more) {
                ended_ = true;
                return std::unexpected(more.error());
            }
            if (!*more) break;
            if (auto packet = packet_of_block()) return packet;
        }
        ended_ = true;
        return std::nullopt;
    }

  private:
    [[nodiscard]] std::unexpected<Error> broken(const char* what) const {
        return fail(Errc::bad_input, what, source.name() + ": after frame " + std::to_string(frames_));
    }

    [[nodiscard]] std::uint16_t get16(std::size_t at) const {
        const unsigned a = block_[at];
        const unsigned b = block_[at + 1];
        return static_cast<std::uint16_t>(big_endian_ ? a << 8 | b : b << 8 | a);
    }
    [[nodiscard]] std::uint32_t get32(std::size_t at) const {
        const std::uint32_t a = get16(at);
        const std::uint32_t b = get16(at + 2);
        return big_endian_ ? a << 16 | b : b << 16 | a;
    }

    /// Exactly `count` more bytes into the block; false at the end of the file before the first of them.
    Result<bool> read_exactly(std::size_t count) {
        const std::size_t before = block_.size();
        std::size_t have = 0;
        while (have < count) {  // grows with what is there: a lying length costs nothing
            const std::size_t step = std::min<std::size_t>(count - have, 64 * 1024);
            block_.resize(before + have + step);
            const auto got = source.read({reinterpret_cast<char*>(block_.data() + before + have), step});
            if (!got) return std::unexpected(got.error());
            have += *got;
            block_.resize(before + have);
            if (*got == 0) {
                if (have == 0 && before == 0) return false;
                return broken("the capture ends within a block");
            }
        }
        return true;
    }

    /// One block into block_, without its trailing length; handles section headers and interfaces.
    Result<bool> read_block() {
        block_.clear();
        const auto head = read_exactly(8);
        if (!head || !*head) return head;
        type_ = get32(0);
        if (type_ == section_header) {
            if (auto ok = read_exactly(4); !ok) return ok;
            const bool big = block_[8] == 0x1a && block_[9] == 0x2b && block_[10] == 0x3c && block_[11] == 0x4d;
            const bool little = block_[8] == 0x4d && block_[9] == 0x3c && block_[10] == 0x2b && block_[11] == 0x1a;
            if (!big && !little) return broken("not a pcapng section");
            big_endian_ = big;
            interfaces_.clear();
        }
        const std::uint32_t length = get32(4);
        if (length < 12 || length % 4 != 0 || length > largest_packet) return broken("a block of impossible length");
        if (length < block_.size() + 4) return broken("a block that is too short");
        if (auto ok = read_exactly(length - block_.size()); !ok) return ok;
        block_.resize(length - 4);
        if (type_ == interface_description) return read_interface();
        return true;
    }

    Result<bool> read_interface() {
        if (block_.size() < 16) return broken("a broken interface description");
        if (interfaces_.size() >= most_interfaces) return broken("too many interfaces");
        Interface interface{.link_type = get16(8), .snap_length = get32(12)};
        for (std::size_t at = 16; at + 4 <= block_.size();) {
            const std::uint16_t code = get16(at);
            const std::size_t length = get16(at + 2);
            if (code == 0 || at + 4 + length > block_.size()) break;
            if (code == 9 && length >= 1) interface.units_per_second = resolution(block_[at + 4]);
            if (code == 14 && length >= 8) {
                const std::uint64_t high = get32(at + (big_endian_ ? 4 : 8));
                const std::uint64_t low = get32(at + (big_endian_ ? 8 : 4));
                interface.offset_seconds = static_cast<std::int64_t>(high << 32 | low);
            }
            at += 4 + (length + 3) / 4 * 4;
        }
        interfaces_.push_back(interface);
        return true;
    }

    /// if_tsresol: a negative power of 10, or with the high bit of 2.
    static std::uint64_t resolution(std::uint8_t value) {
        if ((value & 0x80U) != 0) return std::uint64_t{1} << std::min<unsigned>(value & 0x7fU, 63U);
        std::uint64_t units = 1;
        for (unsigned i = 0; i < std::min<unsigned>(value, 18U); ++i) units *= 10;
        return units;
    }

    /// Within the 136 years that a classic capture can tell of, so that sums and multiples of times stay numbers.
    [[nodiscard]] static std::int64_t time_of(const Interface& interface, std::uint64_t stamp) {
        const std::uint64_t seconds = stamp / interface.units_per_second;
        const long double rest = static_cast<long double>(stamp % interface.units_per_second);
        const auto fraction =
            static_cast<std::int64_t>(std::lround(rest * 1e9L / static_cast<long double>(interface.units_per_second)));
        const std::uint64_t whole = (seconds + static_cast<std::uint64_t>(interface.offset_seconds)) % 0x1'0000'0000U;
        return static_cast<std::int64_t>(whole * 1'000'000'000U) + fraction;
    }

    /// The flags of an enhanced packet (option 2): the lowest bits say whether it came in or went out.
    [[nodiscard]] Direction direction(std::size_t options) const {
        for (std::size_t at = options; at + 4 <= block_.size();) {
            const std::uint16_t code = get16(at);
            const std::size_t length = get16(at + 2);
            if (code == 0 || at + 4 + length > block_.size()) break;
            if (code == 2 && length == 4) {
                const unsigned way = get32(at + 4) & 3U;
                return way == 1 ? Direction::to_us : way == 2 ? Direction::from_us : Direction::unknown;
            }
            at += 4 + (length + 3) / 4 * 4;
        }
        return Direction::unknown;
    }

    std::optional<Packet> packet_of_block() {
        std::size_t data = 0;
        std::size_t length = 0;
        Packet packet;
        std::uint64_t stamp = 0;
        if ((type_ == enhanced_packet || type_ == old_packet) && block_.size() >= 28) {
            packet.interface = type_ == enhanced_packet ? get32(8) : get16(8);
            stamp = std::uint64_t{get32(12)} << 32 | get32(16);
            length = get32(20);
            packet.original_length = get32(24);
            data = 28;
        } else if (type_ == simple_packet && block_.size() >= 12) {
            packet.original_length = get32(8);
            length = packet.original_length;
            data = 12;
            if (!interfaces_.empty() && interfaces_[0].snap_length != 0) {
                length = std::min<std::size_t>(length, interfaces_[0].snap_length);
            }
        } else {
            return std::nullopt;
        }
        packet.frame = ++frames_;
        if (packet.interface >= interfaces_.size()) return std::nullopt;
        const Interface& interface = interfaces_[packet.interface];
        packet.link_type = interface.link_type;
        packet.time_ns = type_ == simple_packet ? 0 : time_of(interface, stamp);
        if (type_ == enhanced_packet && length <= block_.size() - data)
            packet.direction = direction(data + (length + 3) / 4 * 4);
        packet.bytes = std::span(block_).subspan(data, std::min(length, block_.size() - data));
        return packet;
    }

    std::vector<std::uint8_t> block_;
    std::uint32_t type_ = 0;
    bool big_endian_ = false;
    std::vector<Interface> interfaces_;
    std::uint64_t frames_ = 0;
    bool ended_ = false;
};

}  // namespace

std::unique_ptr<PacketReader::Format> open_pcapng(ByteSource source) {
    return std::make_unique<Pcapng>(std::move(source));
}

}  // namespace natkit::capture
