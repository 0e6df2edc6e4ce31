#pragma once

#include <memory>

#include "natkit/capture/packet_reader.hpp"

namespace natkit::capture {

constexpr std::uint32_t largest_packet = 16 * 1024 * 1024;

class PacketReader::Format {
  public:
    Format(const Format&) = delete;
    Format& operator=(const Format&) = delete;
    virtual ~Format() = default;
    [[nodiscard]] virtual Result<std::optional<Packet>> next() = 0;

    ByteSource source;

  protected:
    explicit Format(ByteSource from) : source(std::move(from)) {}
};

[[nodiscard]] Result<std::unique_ptr<PacketReader::Format>> open_classic(ByteSource source);
[[nodiscard]] std::unique_ptr<PacketReader::Format> open_pcapng(ByteSource source);

}  // namespace natkit::capture
