#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "../media/host_names.hpp"
#include "../routing/admission.hpp"
#include "lookups.hpp"
#include "natkit/proxy/flood.hpp"

namespace natkit::edge {

/// Names where descriptions should have addresses: looked up before an offer or an answer is taken.
class NameLookups {
  public:
    /// All of them outlive it. What is found goes to `names`.
    NameLookups(const Settings& settings, HostNames& names, Admission& admission, Lookups& lookups);

    /// The settings have changed.
    void follow_settings();
    /// Whether a message must wait for names in its description, as nearly none must; on_located() tells its number
    /// when it need not any more.
    [[nodiscard]] bool must_wait(std::string_view description, const Upstream& from, std::uint64_t message, Now now,
                                 Output& out);
    /// True: the ticket was of such a look-up. `ready`: the messages that have waited for it alone.
    [[nodiscard]] bool on_located(std::uint64_t ticket, const sip::Location& location, Now now, Output& out,
                                  std::vector<std::uint64_t>& ready);

  private:
    struct Question {
        std::uint64_t ticket = 0;
        HostName name;
    };
    struct Wait {
        std::vector<HostName> missing;
        std::uint64_t message = 0;
    };

    [[nodiscard]] bool look_up(const HostName& name, const Upstream& from, Now now, Output& out);
    [[nodiscard]] bool may_be_media(const IpAddress& address) const;

    const Settings& settings_;
    HostNames& names_;
    Admission& admission_;
    Lookups& lookups_;
    std::vector<Question> questions_;
    std::vector<Wait> waiting_;
    proxy::FloodGate gate_;
};

}  // namespace natkit::edge
