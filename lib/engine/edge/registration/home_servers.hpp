#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "../routing/neighbours.hpp"
#include "../routing/router.hpp"
#include "natkit/proxy/challenges.hpp"
#include "natkit/sip/message/serialize.hpp"

namespace natkit::edge {

/// Users who are registered on another server, by way of the edge: it shows the server a way back to them (Path, or a
/// URI of its own in place of the Contact), and learns from the answers who is registered, and for how long.
class HomeServers {
  public:
    /// All of them outlive it.
    HomeServers(const Settings& settings, const Secrets& secrets, sip::Registrar& registrar,
                const Neighbours& neighbours, const Router& router)
        : settings_(settings), secrets_(secrets), registrar_(registrar), neighbours_(neighbours), router_(router) {}

    /// The servers have changed: what they make of Path is not known any more.
    void follow_settings() { without_path_.clear(); }

    using Plan = std::shared_ptr<const Registering>;
    /// How a REGISTER goes to that server; null: there is no such server. `taken_back`: Contacts that the server has
    /// shown, and is to take back.
    [[nodiscard]] Plan plan(const sip::Message& request, const Upstream& from, const std::string& server,
                            const sip::Flow& to, Now now, std::vector<std::string> taken_back = {}) const;
    static void apply(sip::Edit& edit, const sip::Message& request, const Registering& plan);
    /// The client gets its own CSeq and Contact back, and no Path it did not ask for.
    static void undo(sip::Edit& edit, const sip::Message& request, const sip::Message& response,
                     const Registering& plan);

    /// What a final response to a REGISTER means.
    struct Outcome {
        std::vector<sip::BindingChange> changes;
        Plan again{};  ///< it must be sent again, like this
    };
    [[nodiscard]] Outcome on_response(const Context& context, const Branch& branch, const sip::Message& response,
                                      Now now, Output& out);
    /// The binding is gone.
    void forget(const std::string& binding) { placed_.erase(binding); }

  private:
    /// By what a server reaches a client of it.
    enum class Placed : std::uint8_t {
        by_path,     ///< the client's own Contact, with our Path or without
        by_contact,  ///< a Contact of ours alone
    };

    void note_placed(const std::string& id, Placed how);
    [[nodiscard]] std::vector<std::string> left_behind(const Registering& plan, const sip::Message& response,
                                                       WallTime now) const;
    [[nodiscard]] std::vector<std::string> to_take_back(const Registering& plan, const std::string& domain,
                                                        const sip::Message& response, Now now, Output& out);
    void note_challenge(const Registering& plan, const std::string& domain, const sip::Message& response,
                        const sip::Flow& to);
    [[nodiscard]] bool has_proved(const Context& context, const Branch& branch, const std::string& id) const;
    [[nodiscard]] std::vector<sip::BindingChange> learn(const Context& context, const Branch& branch,
                                                        const sip::Message& response, WallTime now);

    const Settings& settings_;
    const Secrets& secrets_;
    sip::Registrar& registrar_;
    const Neighbours& neighbours_;
    const Router& router_;
    proxy::Challenges challenges_;  ///< of the servers, to users of theirs
    /// Domains whose server has not shown that it knows Path, and until when that is believed.
    std::map<std::string, Instant, std::less<>> without_path_;
    std::unordered_map<std::string, Placed> placed_;  ///< by the id of the binding; bounded as those are
};

}  // namespace natkit::edge
