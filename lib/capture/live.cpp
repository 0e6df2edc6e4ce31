// Live packets of an interface, by libpcap.
#include <pcap/pcap.h>
#include <poll.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "formats.hpp"

namespace natkit::capture {
namespace {

constexpr int whole_packets = 262'144;        // bytes of each, as tcpdump takes
constexpr int ring_bytes = 16 * 1024 * 1024;  // bytes
constexpr int timeout_ms = 100;
constexpr int look_ms = 250;
constexpr std::uint64_t packets_a_look = 256;
constexpr int link_raw_file = 101;
constexpr int link_cooked2_file = 276;

std::string interfaces() {
    std::array<char, PCAP_ERRBUF_SIZE> message{};
    pcap_if_t* all = nullptr;
    if (pcap_findalldevs(&all, message.data()) != 0) return {};
    std::string names;
    unsigned shown = 0;
    for (const pcap_if_t* one = all; one != nullptr && shown < 16; one = one->next) {
        if ((one->flags & PCAP_IF_UP) == 0) continue;
        names += (shown++ == 0 ? "" : ", ") + std::string(one->name);
    }
    pcap_freealldevs(all);
    return names;
}

std::unexpected<Error> refused(const std::string& name, int status, const char* message) {
    switch (status) {
        case PCAP_ERROR_PERM_DENIED:
        case PCAP_ERROR_PROMISC_PERM_DENIED:
            return fail(Errc::refused, "no right to capture on '" + name +
                                           "': run it by sudo (it gives its privileges up as soon as the interface is "
                                           "open), or pipe what tcpdump writes: tcpdump -U -w - | natclassify");
        case PCAP_ERROR_NO_SUCH_DEVICE: {
            const std::string there = interfaces();
            return fail(Errc::not_found, "no interface '" + name + "'" + (there.empty() ? "" : "; there are " + there));
        }
        case PCAP_ERROR_IFACE_NOT_UP: return fail(Errc::system, "interface '" + name + "' is down");
        default:
            return fail(Errc::system, "interface '" + name +
                                          "': " + (*message != '\0' ? std::string(message) : pcap_statustostr(status)));
    }
}

class Live final : public PacketReader::Format {
  public:
    explicit Live(const std::string& name) : Format(ByteSource::of({}, name)) {}
    Live(const Live&) = delete;
    Live& operator=(const Live&) = delete;
    ~Live() override {
        if (pcap_ != nullptr) pcap_close(pcap_);
    }

    Result<void> open() {
        std::array<char, PCAP_ERRBUF_SIZE> message{};
        pcap_ = pcap_create(source.name().c_str(), message.data());
        if (pcap_ == nullptr) return fail(Errc::system, source.name() + ": " + message.data());
        pcap_set_snaplen(pcap_, whole_packets);
        pcap_set_promisc(pcap_, 1);
        pcap_set_timeout(pcap_, timeout_ms);
        pcap_set_buffer_size(pcap_, ring_bytes);
        const bool nano = pcap_set_tstamp_precision(pcap_, PCAP_TSTAMP_PRECISION_NANO) == 0;
        if (const int status = pcap_activate(pcap_); status < 0)
            return refused(source.name(), status, pcap_geterr(pcap_));
        unit_ns_ = nano && pcap_get_tstamp_precision(pcap_) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1'000;
        // "any" then tells of each packet by which interface it came.
        if (pcap_datalink(pcap_) == DLT_LINUX_SLL) pcap_set_datalink(pcap_, DLT_LINUX_SLL2);
        if (pcap_setnonblock(pcap_, 1, message.data()) != 0)  // libpcap itself may wait for ever
            return fail(Errc::system, message.data(), source.name());
        link_type_ = pcap_datalink(pcap_);
        if (link_type_ == DLT_RAW) link_type_ = link_raw_file;
        if (link_type_ == DLT_LINUX_SLL2) link_type_ = link_cooked2_file;
        return {};
    }

    Result<std::optional<Packet>> next() override {
        for (;;) {
            if (++looks_ % packets_a_look == 0 && wait && !wait()) return std::nullopt;
            pcap_pkthdr* header = nullptr;
            const u_char* bytes = nullptr;
            const int status = pcap_next_ex(pcap_, &header, &bytes);
            if (status == 1)
                return Packet{
                    .frame = ++frames_,
                    .time_ns = std::int64_t{header->ts.tv_sec} * 1'000'000'000 + header->ts.tv_usec * unit_ns_,
                    .link_type = link_type_,
                    .interface = 0,
                    .bytes = {bytes, header->caplen},
                    .original_length = header->len};
            if (status == PCAP_ERROR_BREAK) return std::nullopt;
            if (status < 0) return fail(Errc::system, pcap_geterr(pcap_), source.name());
            pollfd waiting{.fd = pcap_get_selectable_fd(pcap_), .events = POLLIN, .revents = 0};
            if (::poll(&waiting, 1, look_ms) <= 0 && wait && !wait()) return std::nullopt;
        }
    }

    std::uint64_t lost() const noexcept override {
        pcap_stat counts{};
        return pcap_stats(pcap_, &counts) == 0 ? counts.ps_drop : 0;
    }

  private:
    pcap_t* pcap_ = nullptr;
    int link_type_ = 0;
    std::int64_t unit_ns_ = 1;
    std::uint64_t frames_ = 0;
    std::uint64_t looks_ = 0;
};

}  // namespace

Result<std::unique_ptr<PacketReader::Format>> open_interface(const std::string& name) {
    auto live = std::make_unique<Live>(name);
    if (auto ok = live->open(); !ok) return std::unexpected(ok.error());
    return live;
}

}  // namespace natkit::capture
