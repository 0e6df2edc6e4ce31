// Classic pcap files by libpcap, from any byte source by way of fopencookie(3).
#include <pcap/pcap.h>

#include <array>
#include <cstdio>
#include <string>
#include <utility>

#include "formats.hpp"

namespace natkit::capture {
namespace {

constexpr std::size_t stdio_buffer = 256 * 1024;

class Classic final : public PacketReader::Format {
  public:
    explicit Classic(ByteSource from) : Format(std::move(from)) {}
    Classic(const Classic&) = delete;
    Classic& operator=(const Classic&) = delete;
    ~Classic() override {
        if (pcap_ != nullptr) {
            pcap_close(pcap_);  // closes the file too
        } else if (file_ != nullptr) {
            std::fclose(file_);
        }
    }

    Result<void> open() {
        file_ = fopencookie(this, "rb", {.read = read_cookie, .write = nullptr, .seek = nullptr, .close = nullptr});
        if (file_ == nullptr) return fail(Errc::system, source.name() + ": no memory");
        std::setvbuf(file_, buffer_.data(), _IOFBF, buffer_.size());
        std::array<char, PCAP_ERRBUF_SIZE> message{};
        pcap_ = pcap_fopen_offline_with_tstamp_precision(file_, PCAP_TSTAMP_PRECISION_NANO, message.data());
        if (pcap_ == nullptr) return fail(Errc::bad_input, why(message.data()), source.name());
        link_type_ = pcap_datalink(pcap_);
        if (link_type_ == DLT_RAW) link_type_ = 101;  // the one number that differs between libpcap and its files
        return {};
    }

    Result<std::optional<Packet>> next() override {
        pcap_pkthdr* header = nullptr;
        const u_char* bytes = nullptr;
        if (ended_) return std::nullopt;
        const int status = pcap_next_ex(pcap_, &header, &bytes);
        if (status == 1) {
            return Packet{.frame = ++frames_,
                          .time_ns = std::int64_t{header->ts.tv_sec} * 1'000'000'000 + header->ts.tv_usec,
                          .link_type = link_type_,
                          .interface = 0,
                          .bytes = {bytes, header->caplen},
                          .original_length = header->len};
        }
        ended_ = true;
        if (status == PCAP_ERROR_BREAK && !failed_) return std::nullopt;
        return fail(Errc::bad_input, why(pcap_geterr(pcap_)),
                    source.name() + ": after frame " + std::to_string(frames_));
    }

  private:
    static ssize_t read_cookie(void* self, char* into, std::size_t size) {
        auto* classic = static_cast<Classic*>(self);
        const auto count = classic->source.read({into, size});
        if (count) return static_cast<ssize_t>(*count);
        classic->failed_ = count.error();
        return -1;
    }

    [[nodiscard]] std::string why(const char* message) const { return failed_ ? failed_->message : message; }

    FILE* file_ = nullptr;
    pcap_t* pcap_ = nullptr;
    std::vector<char> buffer_ = std::vector<char>(stdio_buffer);
    std::optional<Error> failed_;  ///< of the source
    int link_type_ = 0;
    std::uint64_t frames_ = 0;
    bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<PacketReader::Format>> open_classic(ByteSource source) {
    auto classic = std::make_unique<Classic>(std::move(source));
    if (auto ok = classic->open(); !ok) return std::unexpected(ok.error());
    return classic;
}

}  // namespace natkit::capture
