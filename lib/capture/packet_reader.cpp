#include "natkit/capture/packet_reader.hpp"

#include <utility>

#include "formats.hpp"

namespace natkit::capture {

PacketReader::PacketReader(std::unique_ptr<Format> format) : format_(std::move(format)) {}
PacketReader::PacketReader(PacketReader&&) noexcept = default;
PacketReader& PacketReader::operator=(PacketReader&&) noexcept = default;
PacketReader::~PacketReader() = default;

Result<PacketReader> PacketReader::open(ByteSource source) {
    const auto head = source.peek(4);
    if (!head) return std::unexpected(head.error());
    if (*head == "\x0a\x0d\x0d\x0a") return PacketReader(open_pcapng(std::move(source)));
    auto classic = open_classic(std::move(source));
    if (!classic) return std::unexpected(classic.error());
    return PacketReader(*std::move(classic));
}

Result<PacketReader> PacketReader::live(const std::string& interface) {
    auto opened = open_interface(interface);
    if (!opened) return std::unexpected(opened.error());
    return PacketReader(*std::move(opened));
}

Result<PacketReader> PacketReader::hep(const Endpoint& local) {
    auto opened = open_hep(local);
    if (!opened) return std::unexpected(opened.error());
    return PacketReader(*std::move(opened));
}

void PacketReader::on_wait(std::function<bool()> wait) {
    format_->source.on_wait(wait);
    format_->wait = std::move(wait);
}

std::uint64_t PacketReader::lost() const noexcept {
    return format_->lost();
}

Result<std::optional<Packet>> PacketReader::next() {
    return format_->next();
}

const ByteSource& PacketReader::source() const noexcept {
    return format_->source;
}

}  // namespace natkit::capture
