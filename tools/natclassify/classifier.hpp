#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/network_options.hpp"
#include "common/tool_main.hpp"
#include "natclassify/explanation.hpp"
#include "natclassify/page.hpp"
#include "natclassify/text.hpp"
#include "natkit/base/recent.hpp"
#include "natkit/capture/byte_source.hpp"
#include "natkit/engine/explain/anonymize/anonymizer.hpp"
#include "natkit/engine/explain/calls.hpp"
#include "natkit/engine/explain/captures/call_facts.hpp"
#include "natkit/engine/explain/captures/copies.hpp"
#include "natkit/engine/explain/captures/reader.hpp"
#include "natkit/engine/explain/decide_call.hpp"
#include "natkit/engine/explain/selection.hpp"
#include "natkit/record/sip.hpp"

namespace natkit::natclassify {

struct Settings {
    explain::Rules rules;
    std::optional<Endpoint> source;  ///< of raw messages
    std::string transport = "udp";   ///< of raw messages
    explain::Selection selection;    ///< of calls, with `explain`
    bool policy = false;             ///< with `explain`: also whether a media proxy was needed
    std::string compare;             ///< a peer's name, or "all"; empty: no comparison
    bool anonymize = false;          ///< names, numbers, hosts and addresses become others
    bool explain = false;            ///< only what was wrong with each call
    bool json = false;
    bool html = false;  ///< with `explain`: nothing but a page at the end
    bool colour = false;
    bool show_progress = false;
    bool one_terminal = false;  ///< progress and results go to the same one
};

/// Reads inputs and writes what they tell: a `sip` record (or a line of text) for each message, a `decision` for each
/// call.
class Classifier {
  public:
    explicit Classifier(const Settings& settings);

    void read(capture::ByteSource source);
    void read(capture::PacketReader packets);
    void read(std::vector<explain::Reader::Capture> captures);
    /// After the last input. Whether any record was bad.
    [[nodiscard]] bool finish();

  private:
    [[nodiscard]] Result<void> on_message(const record::Sip& sip, nlohmann::ordered_json* json, std::int64_t time_ns);
    /// Classifies one message; `json` is the record it came in, if it came in one.
    void note_own_via(const sip::Message& message, const explain::MessageFacts& facts, const Endpoint& source);
    [[nodiscard]] Result<void> classify(const record::Sip& sip, nlohmann::ordered_json* json);
    /// Judges a bare description by where --source says it came from.
    [[nodiscard]] Result<void> on_description(const std::string& text);
    void write(const std::string& text);
    void write_page();
    [[nodiscard]] std::string shown(const std::string& text);
    void write_record(const record::Sip& sip, const sip::Message& message, const record::Nat& nat,
                      const explain::MessageFacts& facts, const explain::Arrival& arrival,
                      nlohmann::ordered_json* json);
    void on_call(const explain::Call& call);
    void explain_call(const explain::Call& call);
    void listen_to_captures();
    /// A SIP message of which fragments are missing: what there is of it tells more than nothing.
    void on_lost_fragments(const capture::LostFragments& lost);
    void bad(const std::string& where, const Error& error);

    const Settings& settings_;
    explain::Reader reader_;
    tool::Output output_;
    Text text_;
    ExplanationText explanations_;
    Page page_;  ///< empty but for settings_.html
    explain::CallTracker calls_;
    explain::CaptureFacts capture_;
    explain::Selector selector_;
    explain::Anonymizer anonymizer_;
    explain::CopyFinder copies_;
    std::optional<explain::Copy> copy_;  ///< what the message in hand is a copy of
    bool incomplete_ = false;            ///< fragments of the message in hand are missing
    /// What senders wrote into the Via of their own requests, by source; nothing of who passes on requests of others.
    Recent<Endpoint, std::optional<IpAddress>, EndpointHash> vias_{4096};
    tool::LanHint hint_;
    std::uint64_t messages_ = 0;
    std::int64_t time_ns_ = 0;
    bool any_bad_ = false;
};

}  // namespace natkit::natclassify
