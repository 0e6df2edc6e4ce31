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

    [[nodiscard]] virtual std::uint64_t lost() const noexcept { return 0; }

    ByteSource source;           ///< of live packets: only a name
    std::function<bool()> wait;  ///< see PacketReader::on_wait(); may be empty

  protected:
    explicit Format(ByteSource from) : source(std::move(from)) {}
};

[[nodiscard]] Result<std::unique_ptr<PacketReader::Format>> open_classic(ByteSource source);
[[nodiscard]] Result<std::unique_ptr<PacketReader::Format>> open_interface(const std::string& name);
[[nodiscard]] Result<std::unique_ptr<PacketReader::Format>> open_hep(const Endpoint& local);
[[nodiscard]] std::unique_ptr<PacketReader::Format> open_pcapng(ByteSource source);

}  // namespace natkit::capture
