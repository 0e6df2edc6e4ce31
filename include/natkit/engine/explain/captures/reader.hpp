#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/capture/byte_source.hpp"
#include "natkit/engine/explain/captures/capture_messages.hpp"
#include "natkit/engine/explain/captures/clocks.hpp"
#include "natkit/record/sip.hpp"

namespace natkit::explain {

/// Reads an input of any kind that holds SIP messages – a capture, raw messages, JSON lines – and hands out what is in
/// it, in order and in bounded memory.
class Reader {
  public:
    /// A message. `json`: the record it came in, if it came in one; `seen`: of a capture, else without time. An error
    /// is told by on_bad, and the rest goes on.
    std::function<Result<void>(const record::Sip& sip, nlohmann::ordered_json* json, const capture::Sighting& seen)>
        on_message;
    std::function<void(const std::string& line)> on_other;  ///< a record of another type
    /// A bare session description; empty: it is told by on_bad that it has no sender.
    std::function<Result<void>(const std::string& text)> on_description;
    CaptureEvents events;                                                   ///< what else is in captures
    std::function<void(const std::string& where, const Error&)> on_bad;     ///< "ticket.pcap: frame 12", "stdin:3"
    std::function<void(const std::string& name, double done)> on_progress;  ///< of long captures, 0 to 1; may be empty
    std::function<void()> on_line_done;                                     ///< after each JSON line; may be empty
    /// The time of day, about once a second, while what is captured is of now; may be empty.
    std::function<void(std::int64_t now_ns)> on_time;
    /// Asked while a pipe, an interface or a socket has nothing: true ends the capture. May be empty.
    std::function<bool()> stop;
    /// A capture was without SIP; may be empty.
    std::function<void(const std::string& name, const Tally& instead)> on_no_sip;

    /// What raw messages do not say themselves.
    std::optional<Endpoint> source;
    std::string transport = "udp";

    void read(capture::ByteSource input);
    void read(capture::PacketReader packets);
    /// Captures of one thing, each with how far its clock is from that of the first: as one, in the order of time.
    struct Capture {
        capture::PacketReader packets;
        ClockMatch::Offset clock = {};
    };
    void read(std::vector<Capture> captures);
    /// Names of the captures that are read as one, by Sighting::file.
    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
    /// When the first packet of all captures was taken; 0: there was none with a time.
    [[nodiscard]] std::int64_t start_ns() const noexcept { return start_ns_; }

  private:
    [[nodiscard]] Result<void> read_messages(capture::ByteSource& input);
    [[nodiscard]] Result<void> read_lines(capture::ByteSource& input);
    [[nodiscard]] Result<void> read_description(capture::ByteSource& input);
    struct Open;
    void read_in_order(std::vector<Open>& open);
    void tell_without_sip(const std::vector<Open>& open);
    [[nodiscard]] std::unique_ptr<CaptureMessages> messages_of(const std::string& name);
    void read_file(capture::ByteSource input);
    void tick(std::int64_t captured_ns);
    void read_line(const std::string& content, const std::string& where);
    void give(const record::Sip& sip, nlohmann::ordered_json* json, const capture::Sighting& seen,
              const std::string& where);

    std::vector<std::string> names_;
    std::int64_t start_ns_ = 0;
    std::int64_t last_tick_ns_ = 0;  ///< by the clock of the captures
};

/// Captures of a group (see group_captures()), opened. Errc::bad_input, Errc::system.
[[nodiscard]] Result<std::vector<Reader::Capture>> open_group(const CaptureGroup& group);

/// Opens the inputs ("-", or none at all: standard input) in turn and gives them to `read`. False where one could not
/// be opened, which `complain` is told.
[[nodiscard]] bool read_files(const std::vector<std::string>& files,
                              const std::function<void(capture::ByteSource)>& read,
                              const std::function<void(const Error&)>& complain);

}  // namespace natkit::explain
